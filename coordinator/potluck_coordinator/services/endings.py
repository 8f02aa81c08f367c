"""How a study ends: the refit of its best trial where it has folds, then the verdict."""

from __future__ import annotations

from potluck_coordinator.core import reasons
from potluck_coordinator.core.randomness import derive_seed
from potluck_coordinator.core.records import (
    NO_FOLD,
    REFIT_PART,
    EndingStudy,
    Part,
    Study,
    Unit,
)
from potluck_coordinator.core.units import UnitEvent, UnitState
from potluck_coordinator.services.events import SITE, WORK
from potluck_coordinator.services.finalists import FINALISTS, ask_for_finalists
from potluck_coordinator.services.planning import fewer_trials
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.standings import leading
from potluck_coordinator.storage import leases, parts, studies, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

OPEN_STATES = (UnitState.BLOCKED, UnitState.READY, UnitState.LEASED)


def finish_if_done(site: Site, tx: Transaction, study_id: str) -> None:
    """End a study whose trials have all ended; with folds, the best one is refitted first.

    Args:
        site: The coordinator.
        tx: The transaction.
        study_id: The study; one that was deleted has nothing to end.
    """
    study = studies.ending(tx, study_id)
    if study is None or study.state != "running" or trials_to_come(tx, study):
        return
    first = leading(tx, study, FINALISTS)
    if not first:
        reason = reasons.of_study(trials.reasons(tx, study.id))
        _end_study(site, tx, study.id, "failed", reason, None)
        return
    if study.folds:
        refit = units.refit_of(tx, study.id, first[0])
        if refit is None:
            part = parts.get(tx, study.id, REFIT_PART)
            if part.kept:
                _add_refit(site, tx, study.id, part, first[0])
            else:
                parts.mark(tx, study.id, encoded=False)
                after_commit(tx, site.poke)  # its rows are encoded, and this is asked again
            return
        if refit.diverged:
            reason = f"{reasons.REFIT_FAILED} {reasons.DIVERGED}"
            _end_study(site, tx, study.id, "failed", reason, first[0])
            return
        if refit.state != UnitState.SCORED:
            return
    scored = units.of_trials(tx, study.id, first, UnitState.SCORED)
    if ask_for_finalists(site, tx, sorted(scored, key=lambda unit: first.index(unit.trial))):
        return
    said = fewer_trials(study.trials, study.asked) if study.trials < study.asked else ""
    _end_study(site, tx, study.id, "completed", said, first[0])


def trials_to_come(tx: Transaction, study: Study | EndingStudy) -> bool:
    """Say whether trials of a study are still to be made, or run.

    Args:
        tx: A transaction.
        study: The study.
    """
    return trials.any_running(tx, study.id) or trials.count(tx, study.id)[1] < study.trials


def fail_study(site: Site, tx: Transaction, study_id: str, reason: str) -> None:
    """End a running study that cannot go on, with the reason."""
    _end_study(site, tx, study_id, "failed", reason, None)


def stop_study(site: Site, tx: Transaction, study_id: str, reason: str, *, by: str) -> bool:
    """Stop a running study, which can be resumed; False where it does not run.

    Args:
        site: The coordinator.
        tx: The transaction.
        study_id: The study.
        reason: Why, for its page.
        by: Who stops it, for the ledger.
    """
    now = site.now()
    moved = studies.move(
        tx, study_id, before=("running",), after="stopped", reason=reason, finished_at=now
    )
    if not moved:
        return False
    # What was returned is durable and is scored all the same.
    units.change_many(tx, study_id, UnitEvent.CANCEL, only=OPEN_STATES, lease_id=None)
    leases.end_all_of_study(tx, study_id, now=now, reason="the study was stopped")
    record(tx, study_id, "stop", {"by": by}, now)
    after_commit(tx, lambda: site.hub.publish(study_id, SITE))
    return True


def _add_refit(site: Site, tx: Transaction, study_id: str, part: Part, number: int) -> None:
    """Make the unit that trains the chosen trial on all training rows with its own encoders."""
    study = studies.get(tx, study_id)
    trial = trials.get(tx, study.id, number)
    assert trial is not None
    assert part.train is not None
    like = next(u for u in units.of_trial(tx, study.id, number) if u.kind == "trial")
    epochs = study.spec["rungs"][-1]
    per_row = int(like.flops) // max(1, like.rows * (like.to_epoch - like.from_epoch))
    unit = Unit(
        id=site.new_id("un"),
        study_id=study.id,
        trial=number,
        kind="refit",
        fold=NO_FOLD,
        repeat=0,
        rung=0,
        state=UnitState.READY.value,
        part=part.part,
        from_epoch=0,
        to_epoch=epochs,
        rows=part.rows_train,
        batch_size=like.batch_size,
        seed=derive_seed(study.spec["seed"], "train", None, 0),
        topology=trial.topology,
        tensors=part.train,
        start=trial.refit_start,
        training=dict(like.training),
        flops=str(per_row * part.rows_train * epochs),
        upload_bytes=like.upload_bytes,
        # Only its rows are more: the estimate is on the safe side.
        memory_bytes=-(-like.memory_bytes * part.rows_train // max(1, like.rows)),
        ready_since=site.now(),
        reasons=(),
        claims={},
    )
    units.add(tx, [unit])
    record(tx, study.id, "refit", {"trial": number, "unit": unit.id}, site.now())
    after_commit(tx, lambda: site.hub.publish(study.id, WORK))


def settle_refit(site: Site, tx: Transaction, study: Study, unit: Unit) -> None:
    """Decide what follows now that a refit unit was scored or set aside."""
    aside = unit.state == UnitState.SET_ASIDE and not trials.any_running(tx, study.id)
    if aside and leading(tx, study, 1) == [unit.trial]:
        reason = f"{reasons.REFIT_FAILED} {reasons.of_unit(unit.reasons)}"
        _end_study(site, tx, study.id, "failed", reason, unit.trial)
    else:
        finish_if_done(site, tx, study.id)


def _end_study(
    site: Site, tx: Transaction, study_id: str, state: str, reason: str, best: int | None
) -> None:
    now = site.now()
    moved = studies.move(
        tx,
        study_id,
        before=("running",),
        after=state,
        reason=reason,
        finished_at=now,
        best_trial=best,
    )
    if moved:
        # A refit of a trial that no longer leads may still be open.
        units.change_many(tx, study_id, UnitEvent.CANCEL, only=OPEN_STATES, lease_id=None)
        leases.end_all_of_study(tx, study_id, now=now, reason="the study ended")
        body = {"state": state, "reason": reason, "best_trial": best}
        record(tx, study_id, "study_end", body, now)
        after_commit(tx, lambda: site.hub.publish(study_id))
