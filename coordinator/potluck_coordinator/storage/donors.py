"""Donors and their records."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete
from sqlmodel import Session, col, select

from potluck_coordinator.core.records import Donor
from potluck_coordinator.storage.rows import fact, row
from potluck_coordinator.storage.tables import DonorRow, LeaseRow
from potluck_coordinator.storage.trust_tables import ReplayRow, StandingRow

DELETED_AT_ONCE = 500


def meet(session: Session, donor: Donor) -> Donor:
    """Give a donor's record, made at the first meeting."""
    found = session.get(DonorRow, donor.id)
    if found is None:
        found = row(DonorRow, donor)
    found.seen_at = donor.seen_at
    session.add(found)
    session.flush()
    return fact(Donor, found)


def get(session: Session, donor_id: str) -> Donor | None:
    """Give a donor's record, or None."""
    found = session.get(DonorRow, donor_id)
    return None if found is None else fact(Donor, found)


def reward(
    session: Session, donor_id: str, *, units: int = 0, flops: int = 0, seconds: float = 0.0
) -> None:
    """Add to a donor's record: finished units, verified FLOPs, seconds given."""
    found = session.get(DonorRow, donor_id)
    if found is None:
        return
    found.units += units
    found.credit = str(int(found.credit) + flops)
    found.seconds += seconds
    session.add(found)
    session.flush()


def forget_strangers(session: Session, before: float, online: Collection[str]) -> int:
    """Forget donors unseen since a time who never held a lease, and are not here now.

    Gives how many went: fresh keys cost nothing, and must not fill the database.
    """
    met = select(LeaseRow.id).where(LeaseRow.donor_id == DonorRow.id)
    judged = select(StandingRow.donor_id).where(StandingRow.donor_id == DonorRow.id)
    replayed = select(ReplayRow.id).where(ReplayRow.donor_id == DonorRow.id)
    strangers = session.exec(
        select(DonorRow.id).where(
            DonorRow.seen_at < before,
            DonorRow.units == 0,
            DonorRow.credit == "0",
            ~met.exists(),
            ~judged.exists(),
            ~replayed.exists(),
        )
    )
    gone = sorted(set(strangers) - set(online))
    for begin in range(0, len(gone), DELETED_AT_ONCE):
        some = gone[begin : begin + DELETED_AT_ONCE]
        session.execute(delete(DonorRow).where(col(DonorRow.id).in_(some)))
    return len(gone)


def names(session: Session, donor_ids: Collection[str]) -> dict[str, str]:
    """Give donors' names by id.

    Args:
        session: The transaction.
        donor_ids: Of whom.
    """
    query = select(DonorRow.id, DonorRow.name).where(col(DonorRow.id).in_(donor_ids))
    return dict(session.exec(query).all())


def credit(session: Session) -> int:
    """Sum everybody's verified FLOPs."""
    return sum(int(text) for text in session.exec(select(DonorRow.credit)))
