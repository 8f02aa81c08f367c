"""How a donor stands with each backend class."""

from __future__ import annotations

from sqlmodel import Session, select

from potluck_coordinator.core.records import Standing
from potluck_coordinator.storage.rows import fact
from potluck_coordinator.storage.trust_tables import StandingRow


def of(session: Session, donor_id: str, backend: str) -> Standing:
    """Give a donor's standing with a backend class; a new one where nothing is known."""
    found = session.get(StandingRow, (donor_id, backend), populate_existing=True)
    return Standing(donor_id=donor_id, backend=backend) if found is None else fact(Standing, found)


def best_of(session: Session, donor_id: str) -> int:
    """Give the most agreements in a row that a donor has with any backend class."""
    query = select(StandingRow.agreements).where(StandingRow.donor_id == donor_id)
    return max(session.exec(query), default=0)


def keep(session: Session, standing: Standing) -> None:
    """Keep a donor's standing."""
    session.merge(
        StandingRow(
            donor_id=standing.donor_id,
            backend=standing.backend,
            agreements=standing.agreements,
            agreed=standing.agreed,
            refuted=standing.refuted,
        )
    )
    session.flush()
