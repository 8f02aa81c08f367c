"""The canonical graph: what a model is, in Keras 3's terms, whatever file it came from.

A layer is called at places; each call takes tensors by reference (layer, call, output). Layers that
are called once, called often (shared) or hold a graph of their own fit the same shape. A layer's
`config` is what its entry in `potluck_converter.layers` says: JSON values only, every field
present, every default filled in, no name and no `trainable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int | None, ...]
"""Without the batch axis; `None` is any length."""

Weights = Mapping[str, NDArray[np.float32]]
"""`<layer>/<weight>` to float32 values."""

Kind = Literal["sequential", "functional"]


class TensorRef(NamedTuple):
    """One output of one call of a layer."""

    layer: str
    call: int = 0
    output: int = 0


@dataclass(frozen=True)
class Call:
    """One place where a layer is used."""

    inputs: tuple[TensorRef, ...]


@dataclass(frozen=True)
class Layer:
    """One layer: its class, its config, and where it is called (an InputLayer once, on nothing)."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    trainable: bool
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Graph:
    """Layers in the file's order, and which tensors go in and come out."""

    name: str
    kind: Kind
    layers: tuple[Layer, ...]
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]

    def layer(self, name: str) -> Layer:
        """Find a layer; raises KeyError."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)


@dataclass(frozen=True)
class OptimizerState:
    """What Keras 3's optimizer has gathered: its variables in its own order, with their names.

    First come the count of steps and the learning rate, then what belongs to each trained weight.
    """

    names: tuple[str, ...]
    values: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Model:
    """A graph with its weights, and what the file said of itself."""

    graph: Graph
    weights: Weights
    source: str = ""
    training_config: dict[str, Any] | None = None
    warnings: tuple[str, ...] = field(default=())
    optimizer_state: OptimizerState | None = None
