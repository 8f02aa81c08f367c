"""Donors and their records."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, delete
from sqlmodel import Session, col, select

from potluck_coordinator.core.records import Donor
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import DonorRow, LeaseRow
from potluck_coordinator.storage.trust_tables import ReplayRow, StandingRow


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


def finished(session: Session, donor_id: str) -> int:
    """Count the units that a donor has finished; 0 for one that nobody knows.

    Args:
        session: A transaction.
        donor_id: The donor.
    """
    return session.exec(select(DonorRow.units).where(DonorRow.id == donor_id)).first() or 0


def strangers(session: Session, before: float, online: Collection[str], most: int) -> list[str]:
    """List donors unseen since a time who never held a lease, and are not here now.

    Args:
        session: A transaction that need not write: the look takes as long as there are donors.
        before: The time.
        online: Who is here.
        most: How many at most.
    """
    query = select(DonorRow.id).where(*_strange(before)).order_by(col(DonorRow.id))
    found: list[str] = []
    for donor_id in session.exec(query):
        if donor_id not in online:
            found.append(donor_id)
        if len(found) >= most:
            break
    return found


def forget_strangers(session: Session, donor_ids: Collection[str], before: float) -> int:
    """Forget those of these donors who still are strangers, and give how many went.

    Fresh keys cost nothing, and must not fill the database.

    Args:
        session: The transaction.
        donor_ids: Some of `strangers`: others write only when all of them went.
        before: The time since which they are unseen.
    """
    going = col(DonorRow.id).in_(donor_ids)
    return changed(session, delete(DonorRow).where(going, *_strange(before)))


def _strange(before: float) -> list[ColumnElement[bool]]:
    met = select(LeaseRow.id).where(LeaseRow.donor_id == DonorRow.id)
    judged = select(StandingRow.donor_id).where(StandingRow.donor_id == DonorRow.id)
    replayed = select(ReplayRow.id).where(ReplayRow.donor_id == DonorRow.id)
    return [
        col(DonorRow.seen_at) < before,
        col(DonorRow.units) == 0,
        col(DonorRow.credit) == "0",
        ~met.exists(),
        ~judged.exists(),
        ~replayed.exists(),
    ]


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
