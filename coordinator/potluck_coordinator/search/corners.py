"""The points of a space that are tried out before a study begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potluck_coordinator.search.dimension import Dimension, Range
from potluck_coordinator.search.space import Space

MOST_TRIED = 12
"""Values of one range that are tried on the model's layers."""
SHARES = (0.381966, 0.763932)
"""Where a range of real numbers is tried between its ends: at no round number."""


def extremes(space: Space) -> list[dict[str, Any]]:
    """Give the points that differ from the first one in one parameter, taken to its ends."""
    return _points(space, {name: _ends(one) for name, one in space.free.items()})


def samples(space: Space) -> list[dict[str, Any]]:
    """Give the same, and values between the ends of what changes layers.

    The ends of a range say little there: both may be whole numbers, or what another layer divides.
    """
    return _points(
        space,
        {
            name: _between(one) if name.startswith("layers.") else _ends(one)
            for name, one in space.free.items()
        },
    )


def _points(space: Space, values: dict[str, list[Any]]) -> list[dict[str, Any]]:
    base = {name: found[0] for name, found in values.items()}
    points = [base] + [{**base, n: value} for n, found in values.items() for value in found[1:]]
    return [dict(space.effective(point)) for point in points]


def _ends(dimension: Dimension) -> list[Any]:
    if not isinstance(dimension, Range):
        return list(dimension.choices)
    if dimension.step is None:
        return [dimension.low, dimension.high]
    return [dimension.value(0), dimension.value((dimension.size or 1) - 1)]


def _between(dimension: Dimension) -> list[Any]:
    ends = _ends(dimension)
    if not isinstance(dimension, Range):
        return ends
    if dimension.step is None:
        width = dimension.high - dimension.low
        return [*ends, *(dimension.low + share * width for share in SHARES)]
    size = dimension.size or 1
    return [*ends, *(dimension.value(index) for index in _spread(size)[: MOST_TRIED - 2])]


def _spread(size: int) -> Sequence[int]:
    """Give places between the first and the last: the next ones, then others over the whole."""
    near = range(1, min(size - 1, MOST_TRIED // 2))
    wide = range(MOST_TRIED // 2, size - 1, max(1, size // (MOST_TRIED // 2)))
    return [*near, *wide]
