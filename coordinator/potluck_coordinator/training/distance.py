"""How far two ends of one training are apart, relative to how far it moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.training.checkpoint import State

SMALL_ARRAY = 0.3
"""A weight array counts as having moved at least this share of what arrays of its size move."""
SLOT_SHARE = 0.25
"""Gradients differ more than weights do: optimizer slots may be four times as far apart."""
STILL = 1e-4
"""Training moved the weights at least so far, relative to their size; else nothing could agree."""
UNTRAINED = 1e-3
"""An array that training leaves as it is counts as having moved so far, relative to its size."""
LITTLE = 1e-3
"""A few more steps move the weights at least this share of the way before them."""
BEST_LOSS = 0.05
"""Relative difference of what a plateau schedule has seen as the best loss."""

Arrays = Mapping[str, NDArray[Any]]
FAR = float("inf")


def distance(start: State, own: State, other: State, goes_on: bool) -> float:
    """Measure how far two ends of one training are apart, relative to how far it moved.

    Args:
        start: Where training began.
        own: The end that is trusted.
        other: The end in question.
        goes_on: Others train on from it, so that all else of a state counts too.

    Returns:
        The largest of: all weights together, each array, and (`goes_on`) each optimizer slot and
        the epoch's sum of losses. Infinite where the states are not of the same kind.
    """
    if own.iteration != other.iteration:
        return FAR
    worst = _apart(start.weights, own.weights, other.weights)
    for slot in sorted(set(own.slots) | set(other.slots)):
        mine, theirs = own.slots.get(slot, {}), other.slots.get(slot, {})
        if slot == "average":  # what is scored
            before = start.slots.get(slot) or start.weights
            worst = max(worst, _apart({k: before[k] for k in mine}, mine, theirs))
        elif goes_on:
            zero = {name: np.zeros_like(value) for name, value in mine.items()}
            worst = max(worst, SLOT_SHARE * _apart(zero, mine, theirs))
    if goes_on:
        worst = max(worst, _sums_apart(own, other), _plateaus_apart(own.plateau, other.plateau))
    return worst


def displacement(start: State, own: State, own_later: State, other: State, later: State) -> float:
    """Measure how far apart two ends lead, by a few more steps from each.

    What slots do to the next steps is not seen in their sizes: an element near zero may be the one
    by which a step is divided.

    Args:
        start: Where training began.
        own: The end that is trusted.
        own_later: The same, some steps later.
        other: The end in question.
        later: The same, as many steps later.

    Returns:
        The distance between the two ways, over all weights, relative to the trusted one, times the
        share that slots have.
    """
    way = _length_of(own_later.weights, own.weights)
    before = _length_of(own.weights, start.weights)
    size = _length_of(own.weights, None)
    off = 0.0
    for name, end in own.weights.items():
        mine = own_later.weights[name].astype(np.float64) - end
        theirs = later.weights[name].astype(np.float64) - other.weights[name]
        off += float(np.sum((mine - theirs) ** 2))
    found = SLOT_SHARE * float(np.sqrt(off)) / max(way, LITTLE * max(before, STILL * size), 1e-12)
    return found if np.isfinite(found) else FAR


def _sums_apart(own: State, other: State) -> float:
    """Compare what an epoch's mean loss will be made of: a plateau schedule goes by it."""
    if own.loss_rows != other.loss_rows:
        return FAR
    off = abs(own.loss_sum - other.loss_sum) / max(abs(own.loss_sum), 1e-6 * own.loss_rows, 1e-12)
    return SLOT_SHARE * off if np.isfinite(off) else FAR


def _plateaus_apart(own: NDArray[Any] | None, other: NDArray[Any] | None) -> float:
    """Compare rate, best loss, epochs waited, and epochs of cooling down: the same, or far off."""
    if own is None or other is None:
        return 0.0 if own is other else FAR
    counted = [0, 2, 3]
    same = np.allclose(own[counted], other[counted], rtol=1e-5, atol=1e-12) and np.allclose(
        own[1], other[1], rtol=BEST_LOSS, atol=1e-6
    )
    return 0.0 if same else FAR


def _apart(start: Arrays, own: Arrays, other: Arrays) -> float:
    if set(own) != set(other) or any(own[n].shape != other[n].shape for n in own):
        return FAR
    total = max(1, sum(value.size for value in own.values()))
    moved = {n: _length(own[n], start[n]) for n in own}
    off = {n: _length(own[n], other[n]) for n in own}
    size = _length_of(own, None)
    way = max(float(np.sqrt(sum(v**2 for v in moved.values()))), STILL * size, 1e-12)
    worst = float(np.sqrt(sum(v**2 for v in off.values()))) / way
    for name, value in own.items():
        least = SMALL_ARRAY * way * float(np.sqrt(value.size / total))
        if not moved[name]:
            least = min(least, max(UNTRAINED * _length(value, np.zeros(1)), 1e-12))
        worst = max(worst, off[name] / max(moved[name], least))
    return worst if np.isfinite(worst) else FAR


def _length_of(one: Arrays, other: Arrays | None) -> float:
    zero = np.zeros(1)
    lengths = [_length(v, zero if other is None else other[n]) for n, v in one.items()]
    return float(np.sqrt(sum(length**2 for length in lengths)))


def _length(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Give the Euclidean distance, summed in float64."""
    return float(np.linalg.norm(one.astype(np.float64) - other.astype(np.float64)))
