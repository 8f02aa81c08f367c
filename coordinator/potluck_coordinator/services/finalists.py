"""A study's first places are trained again before it ends: asked for by a few statements."""

from __future__ import annotations

from collections.abc import Sequence

from potluck_coordinator.core.records import Unit
from potluck_coordinator.core.trust import PRIORITY, ReplayState, Why
from potluck_coordinator.core.units import steps_per_epoch
from potluck_coordinator.services.chains import Segment
from potluck_coordinator.services.replays import ask, checks
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import leases, replays
from potluck_coordinator.storage.transaction import Transaction

FINALISTS = 3
"""So many first places are trained again before a study ends."""


def ask_for_finalists(site: Site, tx: Transaction, leading: Sequence[Unit]) -> bool:
    """Let everything that led to the first places be trained again; say whether some is open.

    This is asked at every verdict, and most often everything was asked for before: then it is
    looked up by a few statements, whatever the number of units.

    Args:
        site: The coordinator.
        tx: The transaction.
        leading: The scored units of the first places.
    """
    if not checks(site):
        return False
    led = _all_segments(tx, leading)
    known = replays.of_leases(tx, [segment.lease.id for _, segment in led])
    waiting = False
    late: list[str] = []
    for unit, segment in led:
        replay = known.get(segment.lease.id)
        if replay is None or replay.state == ReplayState.DROPPED or replay.end != segment.end:
            replay = ask(site, tx, unit, segment, Why.FINALIST)
        elif replay.state == ReplayState.OPEN and _is_less_urgent(replay.why):
            late.append(replay.id)
        waiting |= replay.state == ReplayState.OPEN
    if late:
        replays.raise_priority(tx, late, Why.FINALIST)
    return waiting


def _is_less_urgent(why: str) -> bool:
    return PRIORITY[Why(why)] > PRIORITY[Why.FINALIST]


def _all_segments(tx: Transaction, units: Sequence[Unit]) -> list[tuple[Unit, Segment]]:
    """List what `chains.segments_of` gives of each unit, for all of them at once."""
    found: list[tuple[Unit, Segment]] = []
    ends = {
        unit.result_lease: (unit, unit.result, unit.to_epoch * _steps(unit))
        for unit in units
        if unit.result is not None and unit.result_lease is not None
    }
    while ends:
        there = leases.of_ids(tx, list(ends))
        before: dict[str, tuple[Unit, str, int]] = {}
        for lease_id, (unit, end, to_step) in ends.items():
            lease = there.get(lease_id)
            if lease is None:
                continue
            found.append((unit, Segment(lease, end, to_step)))
            if lease.start_lease:
                before[lease.start_lease] = (unit, lease.start, lease.from_step)
        ends = before
    order = {unit.id: place for place, unit in enumerate(units)}
    return sorted(found, key=lambda one: order[one[0].id])


def _steps(unit: Unit) -> int:
    return steps_per_epoch(unit.rows, unit.batch_size)
