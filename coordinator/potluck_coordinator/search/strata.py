"""Which values were asked, and drawing the next where they are fewest.

Few draws that are each random crowd: nine of twelve trials may get one of three choices. Here
each draw of a parameter goes where its range has been asked least, and by chance only among
equals, so that any number of trials, and any more of them, are spread evenly.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from potluck_coordinator.search.dimension import Dimension, Options
from potluck_coordinator.search.rules import Scalar


class Spread:
    """The values that a search has asked, by parameter."""

    def __init__(self, free: Mapping[str, Dimension]) -> None:
        self._free = free
        self._counts: dict[str, Counter[Scalar]] = {name: Counter() for name in free}
        self._cells: dict[str, list[int]] = {name: [] for name in free}

    def add(self, point: Mapping[str, Scalar]) -> None:
        """Count a point that was asked; what it does not read counts nowhere."""
        for name, dimension in self._free.items():
            if name not in point:
                continue
            self._counts[name][point[name]] += 1
            if not isinstance(dimension, Options):
                insort(self._cells[name], dimension.cell(point[name]))

    def draw(self, name: str, random: Random) -> Scalar:
        """Draw a value of a parameter where it was asked least."""
        dimension = self._free[name]
        if isinstance(dimension, Options):
            counts = self._counts[name]
            fewest = min(counts[choice] for choice in dimension.choices)
            return random.choice([c for c in dimension.choices if counts[c] == fewest])
        cell = _emptiest(self._cells[name], dimension.cells, random)
        return dimension.value_in(cell, random.random())

    def asked(self, point: Mapping[str, Scalar]) -> int:
        """Say how often a point's values were asked, all together."""
        return sum(counts[point[n]] for n, counts in self._counts.items() if n in point)


def _emptiest(taken: Sequence[int], cells: int, random: Random) -> int:
    """Choose one of `cells`: halve them towards the emptier side until no taken one is left."""
    low, high = 0, cells
    while high - low > 1:
        middle = (low + high) // 2
        first, cut, last = (bisect_left(taken, end) for end in (low, middle, high))
        if first == last:
            return random.randrange(low, high)
        left, right = (cut - first) / (middle - low), (last - cut) / (high - middle)
        # Equal sides: by chance, in proportion to their size.
        by_chance = random.random() < (middle - low) / (high - low)
        go_left = by_chance if left == right else left < right
        low, high = (low, middle) if go_left else (middle, high)
    return low
