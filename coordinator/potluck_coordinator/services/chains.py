"""How a unit's result came about: leases, each going on from the state of the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from potluck_coordinator.core.records import Lease, Unit
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.core.units import steps_per_epoch
from potluck_coordinator.storage import credits, leases, replays, units
from potluck_coordinator.storage.transaction import Transaction

WITHHELD = (
    ReplayState.ASKED,
    ReplayState.OPEN,
    ReplayState.UNANSWERED,
    ReplayState.REFUTED,
)
"""While a challenge is in one of these, its lease earns no credit."""


@dataclass(frozen=True)
class Segment:
    """What one lease trained: from `lease.start` at `lease.from_step` to `end` at `to_step`."""

    lease: Lease
    end: str
    to_step: int


def segments_of(tx: Transaction, unit: Unit) -> list[Segment]:
    """List the segments that led to a unit's result, the last one first; none without a result."""
    return [segment for _, segment in all_segments(tx, [unit])]


def all_segments(tx: Transaction, some: Sequence[Unit]) -> list[tuple[Unit, Segment]]:
    """List the segments of several units' results, unit by unit, each with its unit.

    Args:
        tx: A transaction.
        some: The units; of one without a result there are none.
    """
    ends = {
        unit.result_lease: (
            unit.result,
            unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size),
        )
        for unit in some
        if unit.result is not None and unit.result_lease is not None
    }
    chains = chains_to(tx, ends)
    return [(unit, one) for unit in some for one in chains.get(unit.result_lease or "", ())]


def network_segments(tx: Transaction, unit: Unit) -> list[tuple[Unit, Segment]]:
    """List all that led to a unit's result: its own segments, then those of the rungs before it.

    Each with the unit that it belongs to; the last one first.
    """
    rungs = [other for other in units.of_network(tx, unit) if other.rung < unit.rung]
    return all_segments(tx, [unit, *reversed(rungs)])


def standing_segments(tx: Transaction, unit: Unit) -> list[Segment]:
    """List the segments that a unit's result needs, the last one first.

    Without a result: those that led to the state from which it is trained, or would be.
    """
    chain = segments_of(tx, unit)
    if not chain and unit.lease_id is not None:
        holding = leases.get(tx, unit.lease_id)
        if holding is not None and holding.start_lease is not None:
            chain = chain_to(tx, holding.start_lease, holding.start, holding.from_step)
    if not chain and unit.checkpoint is not None and unit.checkpoint_lease is not None:
        chain = chain_to(tx, unit.checkpoint_lease, unit.checkpoint, unit.checkpoint_step)
    return chain


def chain_to(tx: Transaction, lease_id: str, end: str, to_step: int) -> list[Segment]:
    """List the segments that led to a state which a lease came to, the last one first."""
    return chains_to(tx, {lease_id: (end, to_step)})[lease_id]


def chains_to(tx: Transaction, ends: Mapping[str, tuple[str, int]]) -> dict[str, list[Segment]]:
    """Do what `chain_to` does for several leases, by as few statements as the longest chain has.

    Args:
        tx: A transaction.
        ends: By lease, the state that it came to, and at which step.
    """
    found: dict[str, list[Segment]] = {last: [] for last in ends}
    at = {last: (last, end, to_step) for last, (end, to_step) in ends.items()}
    while at:
        there = leases.of_ids(tx, {lease_id for lease_id, _, _ in at.values()})
        before: dict[str, tuple[str, str, int]] = {}
        for last, (lease_id, end, to_step) in at.items():
            lease = there.get(lease_id)
            if lease is None:
                continue
            found[last].append(Segment(lease, end, to_step))
            if lease.start_lease:
                before[last] = (lease.start_lease, lease.start, lease.from_step)
        at = before
    return found


def leases_before(tx: Transaction, lease_ids: Iterable[str]) -> set[str]:
    """Name leases, and all that led to where they began.

    Args:
        tx: A transaction.
        lease_ids: The leases; one that is gone is left out.
    """
    chains = chains_to(tx, dict.fromkeys(lease_ids, ("", 0)))
    return {segment.lease.id for chain in chains.values() for segment in chain}


def stands(tx: Transaction, unit: Unit, lease_id: str) -> bool:
    """Say whether what a lease came to can count as its unit's result.

    It cannot where it goes on from what was taken back or let go, or began with another start.

    Args:
        tx: A transaction.
        unit: The unit.
        lease_id: The lease.
    """
    chain = [segment.lease for segment in chain_to(tx, lease_id, "", 0)]
    if not chain or chain[-1].start != unit.start:
        return False
    lost = any(lease.start_lease and lease.released_at is not None for lease in chain)
    return not lost and not replays.any_refuted(tx, {lease.id for lease in chain})


def standing_on(tx: Transaction, unit: Unit, lease_id: str) -> list[str]:
    """List the leases of a unit's result from its end back to one of them, which comes last.

    None where that lease did not lead to the result: nothing of it stands on that one's state.
    """
    chain = [segment.lease.id for segment in segments_of(tx, unit)]
    return chain[: chain.index(lease_id) + 1] if lease_id in chain else []


def withheld(tx: Transaction, lease_id: str) -> bool:
    """Say whether a lease earns nothing yet: its donor was challenged, and nothing agreed."""
    asked = replays.challenge_of(tx, lease_id)
    return asked is not None and asked.state in WITHHELD


def credit_segment(tx: Transaction, unit: Unit, segment: Segment) -> None:
    """Give a segment's credit to its donor, unless it has it already."""
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    steps = max(1, (unit.to_epoch - unit.from_epoch) * spe)
    done = max(0, segment.to_step - segment.lease.from_step)
    flops = 0 if unit.diverged else int(unit.flops) * done // steps
    whole = 1 if segment.lease.id == unit.result_lease else 0
    credits.give(tx, segment.lease.id, segment.lease.donor_id, units=whole, flops=flops)
