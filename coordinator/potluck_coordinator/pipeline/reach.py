"""Whether a model's last activation reaches the amounts of the target, as they are scaled."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from potluck.protocol.study import Scaling
from potluck_coordinator.pipeline.dataset import Numeric

RANGES: Mapping[str, tuple[float, float]] = {
    "sigmoid": (0, 1),
    "hard_sigmoid": (0, 1),
    "tanh": (-1, 1),
    "hard_tanh": (-1, 1),
    "softsign": (-1, 1),
    "relu": (0, inf),
    "softplus": (0, inf),
    "exponential": (0, inf),
    "relu6": (0, 6),
    "log_sigmoid": (-inf, 0),
}
"""Activations not listed reach (nearly) every number, or are not known."""
FREE = ("linear", "leaky_relu")


def out_of_reach(target: Numeric, activation: str, scaling: Scaling | None) -> list[str]:
    """Warn where the activation cannot give some of the scaled amounts, with a remedy.

    `scaling`: the target's own, None where the loss leaves it unscaled whatever is asked. What is
    scaled to [0, 1] by training rows may leave it in others.
    """
    if activation in FREE:
        return []
    if activation not in RANGES:
        return [f"The last activation is {activation}: it may not reach every value of the target."]
    low, high = RANGES[activation]
    if _within(_ends(target, scaling or "none"), low, high):
        return []
    fitting: tuple[Scaling, ...] = () if scaling is None else ("minmax", "none")
    remedies = [f'"{one}"' for one in fitting if _within(_ends(target, one), low, high)]
    least, most = _ends(target, scaling or "none")
    how = {"standard": "standardized (the default)", "minmax": "scaled to [0, 1]"}
    told = how.get(scaling or "none", "in its own units")
    remedy = f"Scaling {' or '.join(remedies)} would fit, or e" if remedies else "E"
    return [
        f"The last activation is {activation}: it gives {_range(low, high)}, but the target, "
        f"{told}, goes from {least:.3g} to {most:.3g}. {remedy}nd the model without activation."
    ]


def _ends(target: Numeric, scaling: Scaling) -> tuple[float, float]:
    low, high = float(target.values.min()), float(target.values.max())
    if scaling == "none":
        return low, high
    if scaling == "minmax":
        return 0.0, 1.0
    mean, deviation = float(target.values.mean()), float(target.values.std()) or 1.0
    return (low - mean) / deviation, (high - mean) / deviation


def _within(ends: tuple[float, float], low: float, high: float) -> bool:
    return low <= ends[0] and ends[1] <= high


def _range(low: float, high: float) -> str:
    if high == inf:
        return f"numbers from {low:g}"
    return f"numbers to {high:g}" if low == -inf else f"numbers from {low:g} to {high:g}"
