"""Whom a study is for: checked when it is asked for, and said in whole sentences."""

from __future__ import annotations

from potluck.protocol.study import StudySpec
from potluck_coordinator.core.errors import BadStudy, Conflict, NotHere
from potluck_coordinator.core.records import Study
from potluck_coordinator.core.visitors import ANYONE
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.groups import owned
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import groups
from potluck_coordinator.storage.transaction import Transaction

GETS = "the network, its weights and the unit's encoded training rows"


async def check_audience(site: Site, asker: Asker, spec: StudySpec) -> list[str]:
    """Refuse what cannot be kept, and say who gets what.

    Raises:
        NotHere: `study.private_on_open`.
        BadStudy: `study.donors_nobody`, `study.group_needed`, `study.group_unused`.
        NotFound: `group.not_found`.
    """
    _check_visibility(site, spec)
    if spec.group_id is not None and spec.donors != "group":
        raise BadStudy(
            "study.group_unused",
            "A group is named, and the study is not for a group.",
            expected="donors: group",
            got=f"donors: {spec.donors}",
            where="group_id",
        )
    if spec.donors == "mine" and asker.owner == ANYONE:
        raise BadStudy(
            "study.donors_nobody",
            "Without an account or a visitor's key nobody's donors are yours.",
            expected="a token, or a visitor's key, which pages and the SDK send",
            got="neither",
            hint="Submit it from a page or with the SDK, or let everyone donate.",
            where="donors",
        )
    if spec.donors != "group":
        return who_gets_what(spec, account=asker.has_account)
    if spec.group_id is None:
        raise BadStudy(
            "study.group_needed",
            "A study for a group says which one.",
            expected="group_id: one of your groups",
            got="none",
            hint="Make a group on the account page.",
            where="group_id",
        )
    wanted = spec.group_id

    await site.writer.read(lambda tx: owned(tx, asker, wanted))
    return who_gets_what(spec)


def check_group_is_there(tx: Transaction, study: Study) -> None:
    """Refuse to go on with a study whose group was deleted: nobody could train it.

    Raises Conflict `study.group_gone`.
    """
    if study.donors == "group" and groups.find(tx, study.group_id or "") is None:
        raise Conflict(
            "study.group_gone",
            "The group that this study is for was deleted.",
            expected="a group whose members' donors train it",
            got="none",
            hint="Make the study again, for another group.",
        )


def who_gets_what(spec: StudySpec, *, account: bool = True) -> list[str]:
    """Say who gets what of a study's data and network, to whoever reads its plan.

    Args:
        spec: The specification.
        account: Whether its submitter has an account.
    """
    return [_donors(spec, account), *_rows(spec), _viewers(spec)]


def _donors(spec: StudySpec, account: bool) -> str:
    if spec.donors == "everyone":
        return f"Every donor who trains a unit gets {GETS}: these rows count as public."
    if spec.donors == "group":
        return (
            f"Only donors of the study's group, and the submitter's own, get {GETS}. Of the group "
            "is whoever joined by its link and was not removed."
        )
    if account:
        own = "tabs and programs that are signed in with the account or show a token of it"
    else:
        own = (
            "tabs of the browser that submitted it, or `potluck donate` of the user whose program "
            "submitted it"
        )
    return f"Only the submitter's own donors get {GETS}: {own}."


def _rows(spec: StudySpec) -> list[str]:
    scoring = (
        "no unit holds the rows that score it"
        if spec.pipeline.split.folds
        else "the rows that score trials go to none"
    )
    told = [
        f"Names, categories, columns that are no features and test rows go to no donor; {scoring}."
    ]
    if spec.donors != "everyone":
        told.append("All other donors get nothing, and are not told that there is such a study.")
    return [*told, "Whoever runs this coordinator holds all that was uploaded."]


def _viewers(spec: StudySpec) -> str:
    if spec.visibility == "private":
        return "Only the submitter and the operator see the study, its scores and its models."
    return (
        "Everybody may see the study with its settings, the names of its features and classes, its "
        "scores and its weights, and may take the best model; only the submitter and the operator "
        "see rows and predictions."
    )


def _check_visibility(site: Site, spec: StudySpec) -> None:
    if spec.visibility == "private" and site.settings.open and spec.donors == "everyone":
        raise NotHere(
            "study.private_on_open",
            "No study that everyone may train is private on an open coordinator: whoever comes may "
            "keep its rows and weights.",
            expected="visibility: public, or donors: mine or group",
            got="visibility: private, donors: everyone",
            hint="Make it public, let only your own donors or a group train it, or submit it to a "
            "coordinator that takes studies with a token.",
            where="visibility",
        )
