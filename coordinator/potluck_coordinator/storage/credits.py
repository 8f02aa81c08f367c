"""What leases earned their donors: given once, taken back by a replay, and given again."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, select

from potluck_coordinator.storage import donors
from potluck_coordinator.storage.tables import LeaseRow
from potluck_coordinator.storage.trust_tables import CreditRow

EARNER = col(LeaseRow.id) == col(CreditRow.lease_id)


def give(session: Session, lease_id: str, donor_id: str, *, units: int, flops: int) -> bool:
    """Give a lease's donor what it earned; False where it was given before, taken back or not.

    Args:
        session: The transaction.
        lease_id: The lease.
        donor_id: Its donor.
        units: Units that it finished: 1 or 0.
        flops: What its steps took, verified.
    """
    if session.get(CreditRow, lease_id) is not None:
        return False
    session.add(CreditRow(lease_id=lease_id, units=units, flops=str(flops)))
    donors.reward(session, donor_id, units=units, flops=flops)
    return True


def take(session: Session, lease_ids: Collection[str], replay_id: str) -> list[str]:
    """Take back what these leases earned, as far as it counts; give those that lost something.

    Args:
        session: The transaction.
        lease_ids: The leases.
        replay_id: What `give_back` finds it by.
    """
    counting = col(CreditRow.lease_id).in_(lease_ids) & col(CreditRow.taken_by).is_(None)
    query = select(CreditRow, LeaseRow.donor_id).join(LeaseRow, EARNER).where(counting)
    found = session.exec(query.order_by(col(CreditRow.lease_id))).all()
    for earned, donor_id in found:
        earned.taken_by = replay_id
        session.add(earned)
        donors.reward(session, donor_id, units=-earned.units, flops=-int(earned.flops))
    return [earned.lease_id for earned, _ in found]


def give_back(session: Session, replay_id: str) -> list[str]:
    """Give again all that a replay took; give the leases that it was taken from."""
    query = select(CreditRow, LeaseRow.donor_id).join(LeaseRow, EARNER)
    query = query.where(CreditRow.taken_by == replay_id).order_by(col(CreditRow.lease_id))
    found = session.exec(query).all()
    for earned, donor_id in found:
        earned.taken_by = None
        session.add(earned)
        donors.reward(session, donor_id, units=earned.units, flops=int(earned.flops))
    return [earned.lease_id for earned, _ in found]
