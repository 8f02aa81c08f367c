"""From which state a unit is trained on: not from one that a stranger left and nobody can prove."""

from __future__ import annotations

from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Lease, Unit
from potluck_coordinator.core.trust import ReplayState, Why
from potluck_coordinator.services import dead_ends
from potluck_coordinator.services.chains import Segment, chain_to
from potluck_coordinator.services.replays import PROVEN, ask, checks, is_known, is_of, takes_longer
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import leases, replays, units
from potluck_coordinator.storage.transaction import Transaction


def with_trusted_start(site: Site, tx: Transaction, unit: Unit) -> Unit:
    """Take a unit back from states that cannot be proven, to the last one that was or can be.

    Such a state is of a donor that is not known, and training it again would take longer than the
    operator gives a replay. The donor may have left, so that it cannot be asked for the states in
    between either.

    Args:
        site: The coordinator.
        tx: The transaction.
        unit: A unit that is about to be leased.

    Returns:
        The unit as it is now.
    """
    while checks(site) and unit.checkpoint is not None and unit.checkpoint_lease is not None:
        lease = leases.get(tx, unit.checkpoint_lease)
        if lease is None or not _doubted(tx, lease, unit.checkpoint, unit.checkpoint_step):
            return unit
        segment = Segment(lease, unit.checkpoint, unit.checkpoint_step)
        if not takes_longer(site, unit, segment, site.settings.own_donor_seconds):
            return unit
        begun = lease.start, lease.from_step, lease.start_lease
        if not units.go_back(tx, unit.id, lease.id, *begun):
            return unit  # it is not to be had any more
        if lease.state != LeaseState.HELD:
            dead_ends.came_to_nothing(site, tx, lease)
        unit = units.get(tx, unit.id)
    return unit


def doubt_start(site: Site, tx: Transaction, unit: Unit, lease: Lease) -> None:
    """Let the state that a lease goes on from be proven, where its donor is not known yet.

    Training goes on meanwhile; if the state is refuted, the unit starts again.

    Args:
        site: The coordinator.
        tx: The transaction.
        unit: The unit.
        lease: The lease that has just begun.
    """
    if lease.start_lease is None or not checks(site):
        return
    for segment in chain_to(tx, lease.start_lease, lease.start, lease.from_step):
        if not is_known(tx, segment.lease):
            ask(site, tx, unit, segment, Why.CHECKPOINT)


def _doubted(tx: Transaction, lease: Lease, end: str, to_step: int) -> bool:
    """Say whether a lease's donor is not known, and nothing has proven this state."""
    if is_known(tx, lease):
        return False
    known = replays.of_leases(tx, [lease.id]).get(lease.id)
    proven = known is not None and is_of(known, Segment(lease, end, to_step))
    return not (proven and known is not None and known.state in (*PROVEN, ReplayState.OPEN))
