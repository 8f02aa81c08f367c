"""What leases uploaded: nothing else may be named in their messages."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, exists, func
from sqlmodel import Session, col, select

from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.storage.rows import changed
from potluck_coordinator.storage.tables import LeaseRow, UploadRow
from potluck_coordinator.storage.trust_tables import ReplayRow

HELD = LeaseState.HELD.value


def note(session: Session, lease_id: str, artifact: str, size: int) -> None:
    """Remember that a lease uploaded these bytes."""
    if session.get(UploadRow, (lease_id, artifact), populate_existing=True) is None:
        session.add(UploadRow(lease_id=lease_id, artifact=artifact, bytes=size))
        session.flush()


def drop(session: Session, lease_id: str, artifact: str) -> None:
    """Forget that a lease uploaded these bytes: it has uploaded what takes their place."""
    session.execute(
        delete(UploadRow).where(
            col(UploadRow.lease_id) == lease_id, col(UploadRow.artifact) == artifact
        )
    )


def stale(session: Session, before: float, most: int) -> list[str]:
    """List leases that ended before a time and of which is kept what they uploaded.

    Args:
        session: A transaction that need not write.
        before: The time.
        most: How many at most.
    """
    query = (
        select(UploadRow.lease_id)
        .join(LeaseRow, col(LeaseRow.id) == col(UploadRow.lease_id))
        .where(LeaseRow.state != HELD, col(LeaseRow.ended_at) < before)
    )
    return list(session.exec(query.distinct().limit(most)))


def forget(session: Session, lease_ids: Collection[str]) -> int:
    """Forget what leases uploaded that are `stale`: what is named besides stays named.

    Args:
        session: The transaction.
        lease_ids: The leases.
    """
    return changed(session, delete(UploadRow).where(col(UploadRow.lease_id).in_(lease_ids)))


def count(session: Session, lease_id: str) -> int:
    """Count what a lease uploaded."""
    query = select(func.count()).where(UploadRow.lease_id == lease_id)
    return session.exec(query).one()


def bytes_by_donor(session: Session) -> dict[str, int]:
    """Count the bytes that donors uploaded with leases that they hold, or let expire.

    Args:
        session: A transaction.
    """
    query = (
        select(LeaseRow.donor_id, func.sum(UploadRow.bytes))
        .join(UploadRow, col(LeaseRow.id) == col(UploadRow.lease_id))
        .where(col(LeaseRow.state).in_([HELD, LeaseState.EXPIRED.value]))
        .group_by(col(LeaseRow.donor_id))
    )
    return {donor: int(size) for donor, size in session.exec(query)}


def of(session: Session, lease_id: str) -> list[str]:
    """List what a lease uploaded.

    Args:
        session: The database.
        lease_id: The lease.
    """
    return list(session.exec(select(UploadRow.artifact).where(UploadRow.lease_id == lease_id)))


def has(session: Session, lease_id: str, artifact: str) -> bool:
    """Say whether a lease uploaded these bytes."""
    return session.get(UploadRow, (lease_id, artifact), populate_existing=True) is not None


def size(session: Session, lease_id: str, artifact: str) -> int:
    """Give the bytes of what a lease uploaded; 0 where it did not."""
    found = session.get(UploadRow, (lease_id, artifact))
    return 0 if found is None else found.bytes


def release(session: Session, limit: int = 1000) -> set[str]:
    """Forget what ended leases uploaded, if nobody waits for more; give what that named.

    What counts of it is named by its unit, by another lease or by a replay. A lease that expired
    may still be finished: of that few are kept anyway, until `forget`.
    """
    asked = exists().where(
        col(ReplayRow.lease_id) == col(UploadRow.lease_id),
        col(ReplayRow.state) == ReplayState.ASKED.value,
    )
    query = (
        select(UploadRow.lease_id, UploadRow.artifact)
        .join(LeaseRow, col(LeaseRow.id) == col(UploadRow.lease_id))
        .where(col(LeaseRow.state).not_in([HELD, LeaseState.EXPIRED.value]), ~asked)
        .limit(limit)
    )
    found = session.exec(query).all()
    for lease_id, artifact in found:
        drop(session, lease_id, artifact)
    return {artifact for _, artifact in found}
