"""How fast the coordinator's own donor trains, so that it knows beforehand what takes too long."""

from __future__ import annotations

from collections import OrderedDict

from potluck_coordinator.core.records import Unit

FLOPS_PER_SECOND = 2e9
"""Taken for a network that was not trained here yet: one core, small batches."""
MOST_REMEMBERED = 1000


class OwnPace:
    """Seconds that a step takes here, by network and batch size. In memory, bounded."""

    def __init__(self) -> None:
        self._step_s: OrderedDict[tuple[str, int], float] = OrderedDict()

    def note(self, unit: Unit, step_s: float | None) -> None:
        """Remember what a step of a unit's network took, in seconds; None: it was not measured."""
        if step_s is None:
            return
        key = (unit.topology, unit.batch_size)
        self._step_s[key] = step_s
        self._step_s.move_to_end(key)
        while len(self._step_s) > MOST_REMEMBERED:
            self._step_s.popitem(last=False)

    def expected(self, unit: Unit, steps: int, all_steps: int) -> float:
        """Say how many seconds so many of a unit's `all_steps` steps will take here."""
        known = self._step_s.get((unit.topology, unit.batch_size))
        if known is not None:
            return known * steps
        return int(unit.flops) / FLOPS_PER_SECOND * steps / max(1, all_steps)
