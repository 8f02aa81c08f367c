"""Units that were held for long, and how long a study's units took."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import case, func, select
from sqlmodel import Session, col

from potluck_coordinator.core.groups import circle_of
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.scheduling import Candidate
from potluck_coordinator.core.stalls import Held
from potluck_coordinator.core.units import UnitState, steps_per_epoch
from potluck_coordinator.storage.leases import done_in_time
from potluck_coordinator.storage.offers import candidate_of
from potluck_coordinator.storage.tables import LeaseRow, StudyRow, UnitRow

NEWEST = 64
"""Units of a study, the newest, that its pace is taken from."""


def held(session: Session, donor_id: str, before: float) -> list[Held]:
    """List the units that were given out last before a time, and are held; the longest held first.

    Args:
        session: The transaction.
        donor_id: Who asks.
        before: The time.
    """
    since = func.max(col(LeaseRow.started_at))
    long = (
        select(
            col(LeaseRow.unit_id).label("unit_id"),
            since.label("since"),
            func.min(col(LeaseRow.started_at)).label("began"),
            func.count().label("holders"),
            func.sum(case((col(LeaseRow.donor_id) == donor_id, 1), else_=0)).label("mine"),
        )
        .where(col(LeaseRow.state) == LeaseState.HELD.value)
        .group_by(col(LeaseRow.unit_id))
        .having(since < before)
        .subquery()
    )
    query = (
        select(
            col(UnitRow.id),
            col(UnitRow.study_id),
            col(UnitRow.memory_bytes),
            col(UnitRow.flops),
            col(StudyRow.owner),
            col(StudyRow.donors),
            col(StudyRow.group_id),
            long.c.since,
            long.c.holders,
            long.c.mine,
        )
        .join(long, long.c.unit_id == col(UnitRow.id))
        .join(StudyRow, col(StudyRow.id) == col(UnitRow.study_id))
        .where(
            col(UnitRow.state) == UnitState.LEASED.value,
            col(StudyRow.state) == "running",
        )
        .order_by(long.c.began, col(UnitRow.id))
    )
    return [
        Held(
            unit_id=unit,
            study_id=study,
            owner=owner,
            circle=circle_of(donors, owner, group_id),
            memory_bytes=memory_bytes,
            flops=float(flops),
            since=at,
            holders=holders,
            mine=mine > 0,
        )
        for unit, study, memory_bytes, flops, owner, donors, group_id, at, holders, mine in (
            session.execute(query)
        )
    ]


def candidates(session: Session, ready: Mapping[str, float]) -> list[Candidate]:
    """Give held units as such of which a donor chooses, in this order.

    Args:
        session: The transaction.
        ready: From when on each counts as ready, by its id.
    """
    query = (
        select(UnitRow, col(StudyRow.owner), col(StudyRow.donors), col(StudyRow.group_id))
        .join(StudyRow, col(StudyRow.id) == col(UnitRow.study_id))
        .where(col(UnitRow.id).in_(list(ready)))
    )
    found = {
        unit.id: candidate_of(unit, owner, donors, group_id, ready[unit.id])
        for unit, owner, donors, group_id in session.execute(query)
    }
    return [found[unit_id] for unit_id in ready if unit_id in found]


def took(session: Session, study_id: str) -> list[tuple[str, float]]:
    """Give what a study's newest scored units took: who trained, and seconds for each FLOP.

    Only of results that count, and of leases that were finished in time: a result that was taken
    back says nothing. Of a lease that went on from a state, what was left counts.

    Args:
        session: The transaction.
        study_id: The study.
    """
    query = (
        select(
            col(LeaseRow.donor_id),
            col(LeaseRow.started_at),
            col(LeaseRow.ended_at),
            col(LeaseRow.from_step),
            col(LeaseRow.step),
            col(UnitRow.flops),
            col(UnitRow.rows),
            col(UnitRow.batch_size),
            col(UnitRow.from_epoch),
            col(UnitRow.to_epoch),
        )
        .join(UnitRow, col(UnitRow.id) == col(LeaseRow.unit_id))
        .where(
            col(LeaseRow.study_id) == study_id,
            done_in_time(),
            col(UnitRow.result_lease) == col(LeaseRow.id),
            col(UnitRow.state) == UnitState.SCORED.value,
        )
        .order_by(col(LeaseRow.ended_at).desc())
        .limit(NEWEST)
    )
    found: list[tuple[str, float]] = []
    for one in session.execute(query):
        spe = steps_per_epoch(one.rows, one.batch_size)
        steps = max(1, (one.to_epoch - one.from_epoch) * spe)
        done = one.step - one.from_step
        share = done / steps if 0 < done < steps else 1.0
        flops = max(1.0, float(one.flops)) * share
        seconds = max(0.0, one.ended_at - one.started_at)
        found.append((one.donor_id, seconds / flops))
    return found
