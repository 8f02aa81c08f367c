"""Leases: tokens are kept as hashes; one row an attempt."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, func, not_, or_, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.leases import BLAMELESS, LeaseState
from potluck_coordinator.core.records import Lease
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import LeaseRow, StudyRow, UnitRow

HELD = LeaseState.HELD.value


def add(session: Session, lease: Lease) -> None:
    """Keep a new lease."""
    session.add(row(LeaseRow, lease))
    session.flush()


def get(session: Session, lease_id: str) -> Lease | None:
    """Give a lease, or None."""
    return _one(session, LeaseRow.id == lease_id)


def by_token(session: Session, token_hash: str) -> Lease | None:
    """Give the lease of a token's hash, or None."""
    return _one(session, LeaseRow.token_hash == token_hash)


def _one(session: Session, condition: Any) -> Lease | None:
    query = select(LeaseRow).where(condition).execution_options(populate_existing=True)
    found = session.exec(query).first()
    return None if found is None else fact(Lease, found)


def of_ids(session: Session, lease_ids: Collection[str]) -> dict[str, Lease]:
    """Give those of these leases that there are, by id.

    Args:
        session: A transaction.
        lease_ids: A bounded number of leases.
    """
    query = select(LeaseRow).where(col(LeaseRow.id).in_(lease_ids))
    found = session.exec(query.execution_options(populate_existing=True))
    return {lease.id: fact(Lease, lease) for lease in found}


def count_held(session: Session, donor_id: str) -> int:
    """Count the leases that a donor holds.

    Args:
        session: A transaction.
        donor_id: The donor.
    """
    query = select(func.count()).where(LeaseRow.donor_id == donor_id, LeaseRow.state == HELD)
    return session.exec(query).one()


def held_by(session: Session, donor_id: str) -> list[Lease]:
    """List the leases that a donor holds."""
    query = select(LeaseRow).where(LeaseRow.donor_id == donor_id, LeaseRow.state == HELD)
    return [fact(Lease, found) for found in session.exec(query)]


def held_by_donor(session: Session) -> dict[str, int]:
    """Count the leases held, by donor."""
    query = (
        select(LeaseRow.donor_id, func.count())
        .where(LeaseRow.state == HELD)
        .group_by(col(LeaseRow.donor_id))
    )
    return dict(session.exec(query).all())


def with_reason(session: Session, unit_id: str, reason: str) -> list[Lease]:
    """List the leases of a unit that have a reason noted, oldest first.

    Args:
        session: The transaction.
        unit_id: The unit.
        reason: The whole of it.
    """
    query = (
        select(LeaseRow)
        .where(LeaseRow.unit_id == unit_id, LeaseRow.reason == reason)
        .order_by(col(LeaseRow.started_at))
    )
    return [fact(Lease, found) for found in session.exec(query)]


def latest_of_units(
    session: Session, unit_ids: Collection[str], most: int
) -> dict[str, tuple[list[Lease], int]]:
    """Give the newest leases of each of these units, oldest first, and how many came before.

    Args:
        session: The transaction.
        unit_ids: The units.
        most: How many leases of each unit at most.
    """
    whole = func.count().over(partition_by=col(LeaseRow.unit_id))
    place = func.row_number().over(
        partition_by=col(LeaseRow.unit_id),
        order_by=(col(LeaseRow.started_at).desc(), col(LeaseRow.id)),
    )
    known = (
        select(LeaseRow.id, place.label("place"), whole.label("whole"))
        .where(col(LeaseRow.unit_id).in_(unit_ids))
        .subquery()
    )
    query = (
        select(LeaseRow, known.c.whole)
        .join(known, known.c.id == col(LeaseRow.id))
        .where(known.c.place <= most)
        .order_by(col(LeaseRow.started_at))
    )
    found: dict[str, tuple[list[Lease], int]] = {}
    for lease, there in session.exec(query):
        own, _ = found.setdefault(lease.unit_id, ([], max(0, there - most)))
        own.append(fact(Lease, lease))
    return found


def expired(session: Session, now: float) -> list[Lease]:
    """List held leases whose time is up."""
    query = select(LeaseRow).where(LeaseRow.state == HELD, LeaseRow.expires_at <= now)
    return [fact(Lease, found) for found in session.exec(query)]


def hear(session: Session, lease_id: str, *, now: float, expires_at: float, **values: Any) -> bool:
    """Extend a held lease; False where it is not held."""
    statement = (
        update(LeaseRow)
        .where(col(LeaseRow.id) == lease_id, col(LeaseRow.state) == HELD)
        .values(heard_at=now, expires_at=expires_at, **values)
    )
    return bool(changed(session, statement))


def renew_held(session: Session, expires_at: float) -> int:
    """Let no held lease end before this time; give how many were extended."""
    statement = (
        update(LeaseRow)
        .where(col(LeaseRow.state) == HELD, col(LeaseRow.expires_at) < expires_at)
        .values(expires_at=expires_at)
    )
    return changed(session, statement)


def shorten(
    session: Session, lease_ids: Collection[str], expires_at: float, *, heard_by: float
) -> int:
    """Let these leases end at this time at the latest; give how many did.

    Only what is held, and what nobody has spoken of since `heard_by`.
    """
    statement = (
        update(LeaseRow)
        .where(
            col(LeaseRow.id).in_(lease_ids),
            col(LeaseRow.state) == HELD,
            col(LeaseRow.heard_at) <= heard_by,
            col(LeaseRow.expires_at) > expires_at,
        )
        .values(expires_at=expires_at)
    )
    return changed(session, statement)


def end(
    session: Session,
    lease_id: str,
    state: LeaseState,
    *,
    now: float,
    reason: str = "",
    result: str | None = None,
    late: bool = False,
    **values: Any,
) -> bool:
    """End a held lease (or, `late`, one that lost its hold); False: the race was lost."""
    late_states = [HELD, LeaseState.EXPIRED.value, LeaseState.SUPERSEDED.value]
    before = late_states if late else [HELD]
    statement = (
        update(LeaseRow)
        .where(col(LeaseRow.id) == lease_id, col(LeaseRow.state).in_(before))
        .values(state=state.value, ended_at=now, reason=reason, result=result, **values)
    )
    return bool(changed(session, statement))


def note(session: Session, lease_id: str, reason: str) -> None:
    """Note why a lease's result does not count yet."""
    changed(session, update(LeaseRow).where(col(LeaseRow.id) == lease_id).values(reason=reason))


def end_all_of_unit(
    session: Session, unit_id: str, state: LeaseState, *, now: float, reason: str
) -> None:
    """End whatever lease still holds a unit."""
    changed(
        session,
        update(LeaseRow)
        .where(col(LeaseRow.unit_id) == unit_id, col(LeaseRow.state) == HELD)
        .values(state=state.value, ended_at=now, reason=reason),
    )


def end_all_of_study(
    session: Session,
    study_id: str,
    *,
    now: float,
    reason: str,
    trial_units: Iterable[str] | None = None,
) -> None:
    """Supersede the leases still held in a study, or on some of its units."""
    statement = (
        update(LeaseRow)
        .where(col(LeaseRow.study_id) == study_id, col(LeaseRow.state) == HELD)
        .values(state=LeaseState.SUPERSEDED.value, ended_at=now, reason=reason)
    )
    if trial_units is not None:
        statement = statement.where(col(LeaseRow.unit_id).in_(list(trial_units)))
    session.execute(statement)


def folds_of(session: Session, donor_id: str, study_ids: Iterable[str]) -> dict[str, int]:
    """Give the fold that a donor took first in each study: what it took later is not read."""
    first = (
        select(LeaseRow.fold)
        .where(
            LeaseRow.donor_id == donor_id,
            LeaseRow.study_id == col(StudyRow.id),
            LeaseRow.fold >= 0,
        )
        .order_by(col(LeaseRow.started_at))
        .limit(1)
        .scalar_subquery()
    )
    query = select(StudyRow.id, first).where(col(StudyRow.id).in_(list(study_ids)))
    return {study: fold for study, fold in session.exec(query) if fold is not None}


def failed_at(session: Session, unit_id: str) -> list[str]:
    """List the different donors that failed at a unit; closing a tab is no failure."""
    query = (
        select(LeaseRow.donor_id)
        .where(
            LeaseRow.unit_id == unit_id,
            or_(
                col(LeaseRow.state).in_(["expired", "refused"]),
                and_(
                    col(LeaseRow.state) == LeaseState.HANDED_BACK.value,
                    not_(or_(*(col(LeaseRow.reason).startswith(word) for word in BLAMELESS))),
                ),
            ),
        )
        .distinct()
    )
    return list(session.exec(query))


def mean_seconds() -> ColumnElement[float]:
    """Average how long leases took, of those that are `done_in_time`."""
    return func.avg(col(LeaseRow.ended_at) - col(LeaseRow.started_at))


def done_in_time() -> ColumnElement[bool]:
    """Hold for leases that were completed before they expired.

    A late result says when its donor came back, which may be days later, not how long it trained.
    """
    return and_(
        col(LeaseRow.state) == LeaseState.COMPLETED.value,
        col(LeaseRow.ended_at) <= col(LeaseRow.expires_at),
    )


def trials_of(session: Session, donor_id: str, most: int) -> dict[str, set[int]]:
    """Give the trials, by study, that a donor finished units of; the newest study first.

    Args:
        session: A transaction.
        donor_id: The donor.
        most: How many units, the newest, are looked at.
    """
    newest = (
        select(LeaseRow.unit_id, LeaseRow.ended_at)
        .where(LeaseRow.donor_id == donor_id, LeaseRow.state == LeaseState.COMPLETED.value)
        .order_by(col(LeaseRow.ended_at).desc())
        .limit(most)
        .subquery()
    )
    query = (
        select(UnitRow.study_id, UnitRow.trial)
        .join(newest, newest.c.unit_id == col(UnitRow.id))
        .group_by(col(UnitRow.study_id), col(UnitRow.trial))
        .order_by(func.max(newest.c.ended_at).desc())
    )
    found: dict[str, set[int]] = {}
    for study, trial in session.exec(query):
        found.setdefault(study, set()).add(trial)
    return found
