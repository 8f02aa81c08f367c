"""A model as two files for storage: the canonical graph's text and its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Graph, Model
from potluck_converter.graph_json import graph_bytes, graph_from_json
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.shapes import weight_shapes


def to_files(model: Model) -> tuple[bytes, bytes]:
    """Give the graph's canonical JSON and the weights as safetensors."""
    return graph_bytes(model.graph), weights_to_bytes(model.weights)


def from_files(
    graph_json: bytes,
    weights: bytes,
    source: str = "",
    training_config: dict[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Model:
    """Read `to_files`'s pair and check that they belong together; raises ConversionError."""
    graph = graph_from_json(json.loads(graph_json), limits)
    return Model(graph, weights_from_bytes(weights, graph), source, training_config, warnings)


def weights_to_bytes(weights: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Give weights as safetensors, float32."""
    return save({name: np.asarray(w, dtype=np.float32, order="C") for name, w in weights.items()})


def weights_from_bytes(content: bytes, graph: Graph) -> dict[str, NDArray[np.float32]]:
    """Read the graph's weights in its order; raises `model.weights_mismatch`."""
    found = load(content)
    expected = weight_shapes(graph)
    got = {name: value.shape for name, value in found.items()}
    if got != expected or any(value.dtype != np.float32 for value in found.values()):
        wrong = sorted(n for n in expected.keys() | got.keys() if expected.get(n) != got.get(n))
        raise ConversionError(
            "model.weights_mismatch",
            "The weights are not those of the graph.",
            expected="float32 weights of the graph's names and shapes",
            got=", ".join(wrong[:5]) or "another number type",
        )
    return {name: found[name] for name in expected}
