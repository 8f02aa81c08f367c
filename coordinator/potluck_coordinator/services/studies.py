"""Make, stop, resume, extend and delete studies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from potluck.protocol.study import StudySpec
from potluck_coordinator.core.errors import BadStudy, Conflict, OverQuota, TooLarge
from potluck_coordinator.core.ledger import SITE_CHAIN
from potluck_coordinator.core.ranking import TrialState
from potluck_coordinator.core.records import Dataset, Model, NewPart, Part, Study
from potluck_coordinator.core.row_numbers import PartRows
from potluck_coordinator.core.visitors import shown_owner
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.audience import check_group_is_there
from potluck_coordinator.services.endings import stop_study
from potluck_coordinator.services.events import SITE, WORK
from potluck_coordinator.services.jobs import (
    EncodedPart,
    PreparedStudy,
    canonical_json,
    prepare_study,
)
from potluck_coordinator.services.leftovers import forget
from potluck_coordinator.services.memory import encoded_bytes, stored_bytes
from potluck_coordinator.services.parts import check_rows_are_there, record_encoded
from potluck_coordinator.services.planning import (
    SECONDS_TO_PREPARE,
    Understood,
    dataset_deleted,
    understand,
)
from potluck_coordinator.services.quotas import may_run, units_in
from potluck_coordinator.services.reading import on_dataset
from potluck_coordinator.services.room import must_have_room
from potluck_coordinator.services.rungs import settle_rung
from potluck_coordinator.services.sharing import note_began, note_network
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.working import keep_made
from potluck_coordinator.storage import (
    artifact_uses,
    datasets,
    models,
    reopened,
    studies,
    trials,
    units,
)
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit


def _rows(plan: Mapping[str, Any]) -> int:
    """Count the rows of the largest part: the refit's are there twice."""
    return 2 * int(plan["rows_train"] + plan["rows_validation"])


async def create(
    site: Site, asker: Asker, spec: StudySpec, still_wanted: Callable[[], Awaitable[bool]]
) -> Study | None:
    """Make a study: everything is checked and encoded before anything is kept.

    None where `still_wanted` says in the end that whoever asked has gone.
    """
    if spec.donors == "everyone" and not spec.rows_are_public:
        raise BadStudy(
            "study.rows_not_public",
            "Every donor may receive the encoded training rows.",
            expected="rows_are_public: true",
            got="rows_are_public: false",
            hint="Tick the box if these rows may be public; else let only your own donors, or "
            "those of a group, train the study (donors: mine, group).",
            where="rows_are_public",
        )
    understood = await understand(site, asker, spec)
    dataset, model = understood.dataset, understood.model
    study = _drafted(site, asker, spec, understood)
    await site.writer.read(lambda tx: _may_begin(site, tx, asker, study, anew=True))
    _must_fit(site, spec, understood)

    async def encode() -> PreparedStudy:
        return await on_dataset(
            site,
            dataset.hash,
            dataset.filename,
            prepare_study,
            understood.plan,
            site.artifacts.shelf(),
            account=asker.turn,
            more=encoded_bytes(understood.plan, _rows(understood.plan)),
            writes=stored_bytes(understood.plan, _rows(understood.plan) // 2),
            timeout_s=SECONDS_TO_PREPARE,
        )

    prepared = await keep_made(site, encode, _made)
    made = _made(prepared)
    if not await still_wanted():
        await forget(site, made)
        return None
    parts = [_part(study, rows, prepared.first) for rows in prepared.parts]
    study = replace(study, encoded=len(parts) == 1)

    def act(tx: Transaction) -> None:
        if datasets.get(tx, dataset.id).deleted_at is not None:
            raise dataset_deleted()
        models.get(tx, model.id)  # or it was deleted meanwhile
        _may_begin(site, tx, asker, study)
        check_group_is_there(tx, study)
        studies.add(tx, study, parts, prepared.test_rows)
        note_network(site, asker, study.owner, study.id)
        _record_materials(site, tx, study, model, dataset, prepared)
        record_encoded(site, tx, study.id, [prepared.first])
        after_commit(tx, lambda: site.hub.publish(SITE))
        after_commit(tx, site.poke)

    try:
        await site.writer.read(lambda tx: _may_begin(site, tx, asker, study, anew=True))
        await site.writer.run(act)
    except Exception:
        await forget(site, made)
        raise
    return study


def _made(prepared: PreparedStudy) -> tuple[str, ...]:
    return prepared.first.names


def _part(study: Study, rows: PartRows, first: EncodedPart) -> NewPart:
    """Describe a part: the first is encoded, the others are when units need them."""
    encoded = first if rows.part == first.part else None
    about = Part(
        study_id=study.id,
        part=rows.part,
        train=encoded.train if encoded else None,
        held=encoded.held if encoded else None,
        rows_train=len(rows.train_rows),
        kept=encoded is not None,
    )
    return NewPart(about=about, rows=rows, encoder=encoded.encoder if encoded else {})


def _must_fit(site: Site, spec: StudySpec, understood: Understood) -> None:
    """Refuse what would take too much room: each fold names and has all rows once more.

    Raises TooLarge `size.plan`, `size.folds`, `size.encoded`, NoRoom `disk.full`.
    """
    plan = understood.plan
    _must_be_short(spec, understood, site.settings.max_plan_bytes)
    rows = int(plan["rows_train"] + plan["rows_validation"])
    folds = int(understood.wire.folds or 0)
    _must_be_named(rows, folds, site.settings.max_fold_rows)
    need = stored_bytes(plan, (folds + 2) * rows if folds else rows)
    most = site.settings.max_encoded_bytes
    if most and need > most:
        raise TooLarge(
            "size.encoded",
            "The encoded rows of this study take too much room.",
            expected=f"at most {most} bytes in all its folds",
            got=f"about {need} bytes",
            hint="Use fewer folds, fewer rows or smaller inputs.",
            where="pipeline.split",
        )
    must_have_room(site, need)


def _must_be_short(spec: StudySpec, understood: Understood, most: int) -> None:
    """Refuse a plan that every list of studies and every look at it would be long with.

    Raises TooLarge `size.plan`.
    """
    told = spec.model_dump(mode="json"), understood.plan, understood.wire.model_dump(mode="json")
    size = sum(len(canonical_json(one)) for one in told)
    if most and size > most:
        raise TooLarge(
            "size.plan",
            "What is to be kept of this study's plan is too long.",
            expected=f"at most {most} bytes",
            got=f"{size} bytes: {len(understood.wire.features)} features, "
            f"{len(understood.wire.classes or ())} classes",
            hint="Use fewer columns or classes, or shorter names.",
            where="pipeline.features",
        )


def _must_be_named(rows: int, folds: int, most_named: int) -> None:
    """Refuse folds that name too many rows: all are written down in one go, as others wait.

    Raises TooLarge `size.folds`.
    """
    named = (folds + 2) * rows  # by each fold, and twice by the part of the last training
    if folds and most_named and named > most_named:
        most = most_named // rows - 2
        raise TooLarge(
            "size.folds",
            "The folds of this study name too many rows: each names them all.",
            expected=f"at most {most_named} row numbers in all folds",
            got=f"{named}, of {rows} rows in {folds} folds",
            hint=f"Use at most {most} folds." if most > 1 else "Use a validation split.",
            where="pipeline.split.folds",
        )


def _drafted(site: Site, asker: Asker, spec: StudySpec, understood: Understood) -> Study:
    return Study(
        id=site.new_id("st"),
        name=spec.name,
        owner=asker.owner,
        state="running",
        visibility=spec.visibility,
        model_id=understood.model.id,
        dataset_id=understood.dataset.id,
        spec=spec.model_dump(mode="json"),
        plan=understood.plan,
        wire_plan=understood.wire.model_dump(mode="json"),
        direction=understood.wire.direction,
        trials=understood.wire.trials,
        created_at=site.now(),
        donors=spec.donors,
        group_id=spec.group_id,
    )


def _may_begin(
    site: Site, tx: Transaction, asker: Asker, study: Study, *, anew: bool = False
) -> None:
    may_run(site, tx, asker, study, studies=1, units=units_in(study), anew=anew)


def _record_materials(
    site: Site,
    tx: Transaction,
    study: Study,
    model: Model,
    dataset: Dataset,
    prepared: PreparedStudy,
) -> None:
    now = site.now()
    record(
        tx,
        study.id,
        "dataset",
        {"dataset": dataset.id, "hash": dataset.hash, "bytes": dataset.bytes},
        now,
    )
    record(
        tx,
        study.id,
        "model",
        {"model": model.id, "hash": model.hash, "graph": model.graph, "weights": model.weights},
        now,
    )
    body = {
        "study": study.id,
        "submitter": shown_owner(study.owner),
        "spec": study.spec,
        "plan": study.wire_plan,
        "parts": [
            {
                "part": p.part,
                "rows": len(p.train_rows),
                "held_rows": len(p.held_rows),
                "split": split,
            }
            for p, split in zip(prepared.parts, prepared.splits, strict=True)
        ],
        "test_rows": len(prepared.test_rows),
        "test_split": prepared.test_split,
    }
    record(tx, study.id, "study", body, now)


async def mine(site: Site, asker: Asker, study_id: str) -> Study:
    """Give a study that the asker may change. Raises NotFound, NotAllowed."""
    study = await site.writer.read(lambda tx: studies.get(tx, study_id))
    asker.must_see(study)
    asker.must_edit(study)
    return study


async def stop(site: Site, asker: Asker, study_id: str) -> None:
    """Stop a study: running units are cancelled, scores stay. Raises Conflict."""
    study = await mine(site, asker, study_id)

    def act(tx: Transaction) -> None:
        if not stop_study(site, tx, study.id, f"Stopped by {asker.name}.", by=asker.name):
            raise _wrong_state(tx, study.id, "running")

    await site.writer.run(act)


async def resume(site: Site, asker: Asker, study_id: str) -> None:
    """Go on with a stopped or failed study: cancelled and set-aside units open again."""
    study = await mine(site, asker, study_id)
    await _count_states(site, asker, study)

    def act(tx: Transaction) -> None:
        check_group_is_there(tx, study)
        check_rows_are_there(tx, study)
        if studies.get(tx, study.id).state != "running":
            _may_begin(site, tx, asker, study)
            note_began(site, asker, study)
        _reopen(site, tx, study, before=("stopped", "failed"))
        record(tx, study.id, "resume", {"by": asker.name}, site.now())

    await site.writer.run(act)


async def extend(site: Site, asker: Asker, study_id: str, more: int) -> None:
    """Add trials to a study, also to one that has ended."""
    study = await mine(site, asker, study_id)
    await _count_states(site, asker, study)

    def act(tx: Transaction) -> None:
        check_group_is_there(tx, study)
        check_rows_are_there(tx, study)
        current = studies.get(tx, study.id)
        runs = current.state == "running"
        units_more = units_in(current, more) + (0 if runs else units_in(current))
        may_run(site, tx, asker, current, studies=0 if runs else 1, units=units_more)
        note_began(site, asker, current)
        studies.add_trials(tx, study.id, more)
        if current.state != "running":
            _reopen(site, tx, study, before=("completed", "stopped", "failed"))
        record(tx, study.id, "extend", {"by": asker.name, "trials": more}, site.now())
        after_commit(tx, site.poke)

    await site.writer.run(act)


async def _count_states(site: Site, asker: Asker, study: Study) -> None:
    """Count what a study's owner keeps beside the writer, where many units would be in its way."""
    with suppress(OverQuota):  # the writer says so, after what else there is to say
        await site.writer.read(lambda tx: _may_begin(site, tx, asker, study, anew=True))


def _reopen(site: Site, tx: Transaction, study: Study, before: tuple[str, ...]) -> None:
    if not studies.move(tx, study.id, before=before, after="running"):
        raise _wrong_state(tx, study.id, " or ".join(before))
    trials.reopen(tx, study.id, TrialState.INCOMPLETE.value)
    reopened.open_again(tx, study.id, now=site.now())
    # Promotions that fell due while the study stood still.
    for number, rung in reopened.unsettled(tx, study.id):
        mine = units.of_trial(tx, study.id, number)
        settle_rung(site, tx, next(u for u in mine if u.kind == "trial" and u.rung == rung))
    after_commit(tx, lambda: site.hub.publish(study.id, SITE, WORK))
    after_commit(tx, site.poke)


def _wrong_state(tx: Transaction, study_id: str, expected: str) -> Conflict:
    state = studies.get(tx, study_id).state
    return Conflict(
        "study.state",
        f"This study is {state}.",
        expected=f"a study that is {expected}",
        got=state,
    )


async def delete(site: Site, asker: Asker, study_id: str) -> None:
    """Delete a study with its trials, scores and leases. The ledger says that it was deleted."""
    study = await mine(site, asker, study_id)

    def act(tx: Transaction) -> set[str]:
        now = site.now()
        record(tx, study.id, "delete", {"by": asker.name}, now)
        record(tx, SITE_CHAIN, "study_deleted", {"study": study.id, "by": asker.name}, now)
        named = artifact_uses.of_study(tx, study.id)
        studies.remove(tx, study.id)
        after_commit(tx, lambda: site.hub.publish(study.id, SITE))
        after_commit(tx, lambda: site.whence.forget(study.id))
        return named

    await forget(site, await site.writer.run(act))
