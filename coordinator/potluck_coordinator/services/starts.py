"""From which state a unit is trained on: not from one that a stranger left and nobody can prove."""

from __future__ import annotations

from dataclasses import dataclass

from potluck_coordinator.core.leases import LONG_SECONDS, LeaseState
from potluck_coordinator.core.records import Lease, Unit
from potluck_coordinator.core.trust import Why
from potluck_coordinator.core.units import steps_per_epoch
from potluck_coordinator.services import dead_ends
from potluck_coordinator.services.chains import Segment, chain_to
from potluck_coordinator.services.replays import ask, checks, is_known, is_proven
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import leases, units
from potluck_coordinator.storage.transaction import Transaction


@dataclass(frozen=True)
class Start:
    """A state to train on from. `lease`: which one came to it; None: it is the unit's own start."""

    state: str
    step: int
    lease: str | None


def trusted_start(site: Site, tx: Transaction, unit: Unit) -> Start | None:
    """Give from where a new lease of a unit goes on: the last state that was or can be proven.

    What cannot be proven is a state of a donor that is not known, if training it again would take
    longer than the operator gives a replay: the donor may have left, so that it cannot be asked for
    the states in between either. Such a state goes, unless its lease was held for so long that
    leaving many of them is no way to do harm.

    Args:
        site: The coordinator.
        tx: The transaction.
        unit: A unit that is about to be leased.

    Returns:
        The start; None where the unit has none yet.
    """
    found = _named(unit)
    while found is not None and found.lease is not None and checks(site):
        lease = leases.get(tx, found.lease)
        if lease is None or is_proven(site, tx, unit, Segment(lease, found.state, found.step)):
            break
        if was_long(lease):
            break
        if lease.state != LeaseState.HELD:  # else its holder may go on from there itself
            units.go_back(tx, unit.id, lease.id, lease.start, lease.from_step, lease.start_lease)
        if lease.state == LeaseState.HANDED_BACK:  # one that fell silent may still be finished
            dead_ends.came_to_nothing(site, tx, lease)
        found = Start(lease.start, lease.from_step, lease.start_lease)
    return found


def _named(unit: Unit) -> Start | None:
    if unit.checkpoint is not None:
        return Start(unit.checkpoint, unit.checkpoint_step, unit.checkpoint_lease)
    if unit.start is None:
        return None
    first = unit.from_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    return Start(unit.start, first, None)


def was_long(lease: Lease) -> bool:
    """Say whether a lease was held so long that its state is gone on from, proven or not.

    Args:
        lease: The lease.
    """
    return (lease.ended_at or lease.heard_at) - lease.started_at >= LONG_SECONDS


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
