"""Make, stop, resume, extend and delete studies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from potluck.protocol.study import StudySpec
from potluck_coordinator.core.errors import BadStudy, Conflict, OverQuota
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
    hash_of,
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
from potluck_coordinator.services.quotas import may_keep_study, may_run, units_in
from potluck_coordinator.services.reading import on_dataset
from potluck_coordinator.services.rungs import settle_rung
from potluck_coordinator.services.sharing import note_began, note_network
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.study_sizes import bytes_of_plans, bytes_of_rows, must_fit
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

    def may_be(tx: Transaction) -> None:
        may_keep_study(site, tx, asker, study)
        _may_begin(site, tx, asker, study, anew=True)

    await site.writer.read(may_be)
    must_fit(site, spec, understood)

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
    rows_kept = bytes_of_rows(parts, prepared.test_rows)
    study = replace(study, encoded=len(parts) == 1, kept_bytes=study.kept_bytes + rows_kept)

    def act(tx: Transaction) -> None:
        if datasets.get(tx, dataset.id).deleted_at is not None:
            raise dataset_deleted()
        models.get(tx, model.id)  # or it was deleted meanwhile
        may_keep_study(site, tx, asker, study)
        _may_begin(site, tx, asker, study)
        check_group_is_there(tx, study)
        studies.add(tx, study, parts, prepared.test_rows)
        note_network(site, asker, study.owner, study.id)
        _record_materials(site, tx, study, model, dataset, prepared)
        record_encoded(site, tx, study.id, [prepared.first])
        after_commit(tx, lambda: site.hub.publish(SITE))
        after_commit(tx, site.poke)

    try:
        await site.writer.read(may_be)
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


def _drafted(site: Site, asker: Asker, spec: StudySpec, understood: Understood) -> Study:
    study = Study(
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
    return replace(study, kept_bytes=bytes_of_plans(study))


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
    # It outlives the study: hashes of what is long, and of what names columns and classes.
    body = {
        "study": study.id,
        "name": study.name,
        "submitter": shown_owner(study.owner),
        "visibility": study.visibility,
        "donors": study.donors,
        "dataset": dataset.id,
        "model": model.id,
        "trials": study.trials,
        "spec": hash_of(study.spec),
        "plan": hash_of(study.wire_plan),
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
        datasets.drop_unnamed(tx, study.dataset_id)
        after_commit(tx, lambda: site.hub.publish(study.id, SITE))
        after_commit(tx, lambda: site.whence.forget(study.id))
        return named

    await forget(site, await site.writer.run(act))
