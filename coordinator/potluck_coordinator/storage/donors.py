"""Donors and their records."""

from __future__ import annotations

from sqlmodel import Session, col, select

from potluck_coordinator.core.records import Donor
from potluck_coordinator.storage.rows import fact, row
from potluck_coordinator.storage.tables import DonorRow


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


def names(session: Session) -> dict[str, str]:
    """Give donors' names by id."""
    return dict(session.exec(select(DonorRow.id, DonorRow.name).order_by(col(DonorRow.id))).all())


def credit(session: Session) -> int:
    """Sum everybody's verified FLOPs."""
    return sum(int(text) for text in session.exec(select(DonorRow.credit)))
