"""What a model's outputs are: what they went through last, and between what numbers they lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_converter import Graph, Layer, TensorRef

ALL = (-math.inf, math.inf)
Reach = tuple[float, float]
REACH: Mapping[str, Reach] = {
    **dict.fromkeys(("sigmoid", "softmax", "hard_sigmoid", "hard_sigmoid_keras2"), (0.0, 1.0)),
    **dict.fromkeys(("tanh", "softsign", "hard_tanh", "tanh_shrink"), (-1.0, 1.0)),
    **dict.fromkeys(
        ("relu", "softplus", "exponential", "squareplus", "sparse_plus"), (0.0, math.inf)
    ),
    "relu6": (0.0, 6.0),
    "elu": (-1.0, math.inf),
    "celu": (-1.0, math.inf),
    "selu": (-1.7581, math.inf),
    "silu": (-0.2785, math.inf),
    "swish": (-0.2785, math.inf),
    "gelu": (-0.17, math.inf),
    "mish": (-0.3089, math.inf),
    "hard_silu": (-0.375, math.inf),
    "hard_swish": (-0.375, math.inf),
    "log_sigmoid": (-math.inf, 0.0),
    "log_softmax": (-math.inf, 0.0),
}
"""Between what numbers an activation's values lie; others may be any number."""
PASSING = ("Dropout", "Flatten", "Reshape", "Identity", "Permute", "ActivityRegularization")
_POOLING = ("AveragePooling", "MaxPooling", "GlobalAveragePooling", "GlobalMaxPooling")
DEEPEST = 100


@dataclass(frozen=True)
class Ending:
    """What an output went through last, `linear` for nothing, and between what numbers it lies."""

    activation: str = "linear"
    reach: Reach = ALL


def ending_of(graph: Graph) -> Ending:
    """Say what the first output went through last, also through merges, pooling and arithmetic.

    Numbers that can only lie between 0 and 1 are called `sigmoid` where nothing else names them.
    """
    found = _Endings(graph).of(graph.outputs[0])
    low, high = found.reach
    if found.activation == "linear" and low >= 0 and high <= 1:
        return replace(found, activation="sigmoid")
    return found


class _Endings:
    """The endings of a graph's tensors, each worked out once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[TensorRef, Ending] = {}

    def of(self, ref: TensorRef, depth: int = 0) -> Ending:
        if ref not in self._known:
            layer = self._graph.layer(ref.layer)
            self._known[ref] = self._find(layer, layer.calls[ref.call].inputs, depth)
        return self._known[ref]

    def _find(self, layer: Layer, inputs: Sequence[TensorRef], depth: int) -> Ending:
        name, config = plain(layer)
        own = _own(name, config)
        if own is not None:
            return own
        if not inputs or depth > DEEPEST:
            return Ending()
        if name in PASSING or name.startswith(_POOLING):
            return self.of(inputs[0], depth + 1)
        if name == "Rescaling":
            return _rescaled(self.of(inputs[0], depth + 1), config)
        if name in _MERGES:
            return _merged(name, [self.of(one, depth + 1) for one in inputs])
        return Ending()


def plain(layer: Layer) -> tuple[str, Mapping[str, Any]]:
    """Give a layer's class and fields; of the one that is applied to each step, where it is so."""
    if layer.class_name == "TimeDistributed":
        inner = layer.config["layer"]
        return str(inner["class_name"]), inner.get("config", {})
    return layer.class_name, layer.config


def _own(name: str, config: Mapping[str, Any]) -> Ending | None:
    """Give the ending that a layer makes by itself; None where that depends on what comes in."""
    activation = config.get("activation")
    if name == "Softmax":
        activation = "softmax"
    if activation is not None and not (name == "Activation" and activation == "linear"):
        return Ending(str(activation), REACH.get(str(activation), ALL))
    if name == "ReLU" and not config.get("negative_slope"):
        most = config.get("max_value")
        return Ending("relu", (0.0, math.inf if most is None else float(most)))
    if name == "ELU":
        return Ending("elu", (-abs(float(config.get("alpha", 1.0))), math.inf))
    return None


def _rescaling(config: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.asarray(config["scale"], float), np.asarray(config["offset"], float)


def leaves_numbers(config: Mapping[str, Any]) -> bool:
    """Say whether a Rescaling changes nothing."""
    scale, offset = _rescaling(config)
    return bool(np.all(scale == 1) and np.all(offset == 0))


def _rescaled(before: Ending, config: Mapping[str, Any]) -> Ending:
    if leaves_numbers(config):
        return before
    scale, offset = _rescaling(config)
    with np.errstate(invalid="ignore"):
        ends = [scale * end + offset for end in before.reach]
    if any(np.isnan(end).any() for end in ends):
        return Ending()
    return Ending(reach=(float(np.min(ends)), float(np.max(ends))))


def _merged(name: str, parts: Sequence[Ending]) -> Ending:
    lows, highs = [part.reach[0] for part in parts], [part.reach[1] for part in parts]
    same = {part.activation for part in parts}
    activation = "softmax" if name == "Average" and same == {"softmax"} else "linear"
    return Ending(activation, _MERGES[name](lows, highs))


def _product(lows: Sequence[float], highs: Sequence[float]) -> Reach:
    low, high = lows[0], highs[0]
    for other in zip(lows[1:], highs[1:], strict=True):
        corners = [one * two for one in (low, high) for two in other]
        if any(map(math.isnan, corners)):
            return ALL
        low, high = min(corners), max(corners)
    return low, high


_MERGES: Mapping[str, Any] = {
    "Average": lambda lows, highs: (sum(lows) / len(lows), sum(highs) / len(highs)),
    "Add": lambda lows, highs: (sum(lows), sum(highs)),
    "Subtract": lambda lows, highs: (lows[0] - highs[1], highs[0] - lows[1]),
    "Multiply": _product,
    "Maximum": lambda lows, highs: (max(lows), max(highs)),
    "Minimum": lambda lows, highs: (min(lows), min(highs)),
    "Concatenate": lambda lows, highs: (min(lows), max(highs)),
}
