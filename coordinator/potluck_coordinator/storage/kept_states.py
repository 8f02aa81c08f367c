"""Which leases and replays still keep the states that they name.

States are the largest of what strangers send. A lease keeps the state that it began with, and its
result; a replay keeps the two that it compares. Those on which nothing that counts stands are
*released*: the row stays, for the record, and the bytes are collected.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.storage.rows import changed
from potluck_coordinator.storage.tables import LeaseRow, UnitRow
from potluck_coordinator.storage.trust_tables import ReplayRow


def release_of_units(
    session: Session, unit_ids: Collection[str], but: Collection[str], *, now: float
) -> int:
    """Release the leases of units that have ended; give how many.

    Args:
        session: The transaction.
        unit_ids: The units.
        but: Leases on which something still stands.
        now: Seconds since 1970.
    """
    return changed(
        session,
        update(LeaseRow)
        .where(
            col(LeaseRow.unit_id).in_(unit_ids),
            col(LeaseRow.state) != LeaseState.HELD.value,
            col(LeaseRow.id).not_in(but),
            col(LeaseRow.released_at).is_(None),
        )
        .values(released_at=now),
    )


def release_leases(session: Session, lease_ids: Collection[str], *, now: float) -> int:
    """Release these leases; give how many were not released before.

    Args:
        session: The transaction.
        lease_ids: The leases.
        now: Seconds since 1970.
    """
    return changed(
        session,
        update(LeaseRow)
        .where(col(LeaseRow.id).in_(lease_ids), col(LeaseRow.released_at).is_(None))
        .values(released_at=now),
    )


def release_unless_gone_on_from(session: Session, lease_id: str, *, now: float) -> bool:
    """Release a lease, unless another one began with its state; say whether it was released.

    Args:
        session: The transaction.
        lease_id: The lease.
        now: Seconds since 1970.
    """
    later = aliased(LeaseRow)
    went_on = select(later.id).where(
        col(later.unit_id) == col(LeaseRow.unit_id), col(later.start_lease) == col(LeaseRow.id)
    )
    statement = (
        update(LeaseRow)
        .where(col(LeaseRow.id) == lease_id, ~went_on.exists())
        .values(released_at=now)
    )
    return bool(changed(session, statement))


def needed_of_units(session: Session, unit_ids: Collection[str]) -> list[str]:
    """List the leases that hold units, and those of refuted results whose states are kept.

    Args:
        session: The transaction.
        unit_ids: The units.
    """
    held = select(LeaseRow.id).where(
        col(LeaseRow.unit_id).in_(unit_ids), LeaseRow.state == LeaseState.HELD.value
    )
    refuted = select(ReplayRow.lease_id).where(col(ReplayRow.unit_id).in_(unit_ids), _may_return())
    return [*session.exec(held), *session.exec(refuted)]


def release_replay(session: Session, replay_id: str, *, now: float) -> None:
    """Release a replay: nobody needs its two states any more.

    Args:
        session: The transaction.
        replay_id: The replay.
        now: Seconds since 1970.
    """
    changed(
        session,
        update(ReplayRow).where(col(ReplayRow.id) == replay_id).values(released_at=now),
    )


def release_of_closed(
    session: Session, study_id: str, closed: ColumnElement[bool], *, now: float
) -> int:
    """Release the leases of units that are opened again: they are trained from their starts.

    Args:
        session: The transaction.
        study_id: Their study.
        closed: Which units of it.
        now: Seconds since 1970.
    """
    units = select(UnitRow.id).where(UnitRow.study_id == study_id, closed)
    doubted = select(ReplayRow.lease_id).where(ReplayRow.study_id == study_id, _may_return())
    return changed(
        session,
        update(LeaseRow)
        .where(
            col(LeaseRow.study_id) == study_id,
            col(LeaseRow.unit_id).in_(units),
            col(LeaseRow.id).not_in(doubted),
            col(LeaseRow.state) != LeaseState.HELD.value,
            col(LeaseRow.released_at).is_(None),
        )
        .values(released_at=now),
    )


def refuted_beyond(
    session: Session, study_id: str, most: int, at_once: int = 50
) -> list[tuple[str, str, str]]:
    """List refutations of a study that still keep their states, but for the newest of them.

    Gives (replay, lease, unit) of each.

    Args:
        session: The transaction.
        study_id: The study.
        most: How many, the newest, are left out.
        at_once: How many are given at most.
    """
    query = (
        select(ReplayRow.id, ReplayRow.lease_id, ReplayRow.unit_id)
        .where(ReplayRow.study_id == study_id, _may_return())
        .order_by(col(ReplayRow.decided_at).desc(), col(ReplayRow.id))
        .offset(most)
        .limit(at_once)
    )
    return [(replay, lease, unit) for replay, lease, unit in session.exec(query)]


def _may_return() -> ColumnElement[bool]:
    """Hold for refutations whose states are kept: an admin can take the verdict back."""
    refuted = col(ReplayRow.state) == ReplayState.REFUTED.value
    return and_(refuted, col(ReplayRow.released_at).is_(None))
