"""Take back what a refuted result led to: scores, promotions, a trial's end, a study's end."""

from __future__ import annotations

from typing import Any

from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Lease, Replay, Unit
from potluck_coordinator.core.units import UnitEvent, UnitState
from potluck_coordinator.services import dead_ends
from potluck_coordinator.services.chains import segments_of, standing_on
from potluck_coordinator.services.events import WORK
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import (
    credits,
    leases,
    reopened,
    replays,
    scores,
    studies,
    trials,
    units,
)
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

NO_RESULT: dict[str, Any] = {
    "lease_id": None,
    "checkpoint": None,
    "checkpoint_step": 0,
    "checkpoint_lease": None,
    "result": None,
    "result_bytes": 0,
    "result_lease": None,
    "diverged": False,
    "claims": {},
}


def void(
    site: Site,
    tx: Transaction,
    unit: Unit,
    note: str,
    cause: Replay | None = None,
    back_to: Lease | None = None,
) -> bool:
    """Put a unit back in the queue as if nobody had trained it; False where it is not wanted.

    Its score goes, and so does everything that went on from it: later rungs of the same network
    wait again, the trial runs again, and an ended study goes on. The credit goes of the lease that
    is not believed and of those that went on from its state; of leases before it, it stays.

    Args:
        site: The coordinator.
        tx: The transaction.
        unit: What is to be trained anew.
        note: Why, for whoever reads the unit's and its leases' reasons.
        cause: The replay, or challenge, whose lease is not believed; None where no lease of it was
            scored, so that none earned anything.
        back_to: The unit goes on from where this lease of it began (default: from its own start).
    """
    unfounded = [] if cause is None else standing_on(tx, unit, cause.lease_id)
    now = site.now()
    reasons = [*unit.reasons, note][-20:]
    values = {**NO_RESULT, "tries": 0, "reasons": reasons, "ready_since": now}
    if back_to is not None and back_to.start_lease is not None:
        values |= {
            "checkpoint": back_to.start,
            "checkpoint_step": back_to.from_step,
            "checkpoint_lease": back_to.start_lease,
        }
    if not units.change(tx, unit.id, UnitEvent.VOID, **values):
        return False
    later = [
        u for u in units.of_network(tx, unit) if u.rung > unit.rung and u.state != UnitState.BLOCKED
    ]
    for other in later:
        unfounded += [segment.lease.id for segment in segments_of(tx, other)]
        units.change(
            tx, other.id, UnitEvent.BLOCK, **NO_RESULT, start=None, tries=0, ready_since=None
        )
    gone = [unit.id, *(other.id for other in later)]
    # A refuted result is kept a while, in case that was wrong; files that were written of it go.
    results = {u.result for u in (unit, *later) if u.result is not None}
    after_commit(tx, lambda: site.superseded.update(results))
    for unit_id in gone:
        leases.end_all_of_unit(tx, unit_id, LeaseState.SUPERSEDED, now=now, reason=note)
    dead_ends.settled(site, tx, gone)
    scores.remove(tx, gone)
    replays.drop(tx, unit_ids=gone, note="its result was taken back", now=now)
    _reopen(site, tx, unit)
    uncredited = [] if cause is None else credits.take(tx, unfounded, cause.id)
    body = {
        "unit": unit.id,
        "trial": unit.trial,
        "units": gone,
        "reason": note,
        "uncredited": uncredited,
    }
    record(tx, unit.study_id, "void", body, now)
    after_commit(tx, lambda: site.hub.publish(unit.study_id, WORK))
    after_commit(tx, site.poke)
    return True


def _reopen(site: Site, tx: Transaction, unit: Unit) -> None:
    """Let an ended trial, and an ended study, run again."""
    study = studies.get(tx, unit.study_id)
    if unit.kind == "trial" and trials.reopen_one(tx, study.id, unit.trial):
        cancelled = (UnitState.CANCELLED,)
        reopened.open_again(tx, study.id, now=site.now(), trial=unit.trial, states=cancelled)
    if study.state == "stopped":
        units.change(tx, unit.id, UnitEvent.CANCEL)  # resuming opens it again
    if study.state in ("completed", "failed"):
        studies.move(
            tx,
            study.id,
            before=("completed", "failed"),
            after="running",
            reason="",
            finished_at=None,
            best_trial=None,
        )
