"""Who gets credit for a scored unit."""

from __future__ import annotations

from potluck_coordinator.core.records import Unit
from potluck_coordinator.services.chains import credit_segment, segments_of, withheld
from potluck_coordinator.services.replays import checks, is_proven
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage.transaction import Transaction


def reward(site: Site, tx: Transaction, unit: Unit) -> None:
    """Share a scored unit's FLOPs among the donors whose steps led to its result.

    A diverged unit counts as a unit, but its FLOPs were verified by nothing. A result that counts
    again after it was taken back is paid once. Who left a state behind that nobody can prove, and
    is not known, earns nothing by it.

    Args:
        site: The coordinator.
        tx: The transaction that keeps the score.
        unit: The unit, with its result.
    """
    for segment in segments_of(tx, unit):
        left = segment.lease.id != unit.result_lease and checks(site)
        if left and not is_proven(site, tx, unit, segment):
            continue
        if not withheld(tx, segment.lease.id):
            credit_segment(tx, unit, segment)
