"""Whether a model scales its inputs itself, before it does anything else with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from potluck_converter import Layer, Model, TensorRef
from potluck_coordinator.services.model_ending import leaves_numbers, plain

_SCALING = ("Rescaling", "Normalization")
_BEFORE_SCALING = (
    *("Reshape", "Permute", "Flatten", "RepeatVector", "Concatenate", "Masking", "Identity"),
    *("Resizing", "CenterCrop", "Dropout", "GaussianNoise", "GaussianDropout"),
    *("ActivityRegularization",),
)
_KINDS_BEFORE_SCALING = (
    *("Random", "Cropping", "ZeroPadding", "UpSampling", "SpatialDropout"),
    *("AveragePooling", "MaxPooling"),
)


def scaled_by(model: Model) -> str:
    """Name the layer that scales what comes in, where that is done to all of it first; else ""."""
    graph = model.graph
    takers: dict[TensorRef, list[tuple[Layer, int]]] = {}
    for layer in graph.layers:
        for index, call in enumerate(layer.calls):
            for ref in call.inputs:
                takers.setdefault(ref, []).append((layer, index))
    found = ""
    waiting, seen = list(graph.inputs), set(graph.inputs)
    for ref in waiting:  # grows while it is read
        for layer, index in takers.get(ref, ()):
            name, config = plain(layer)
            if name in _SCALING and _changes_numbers(model, layer.name, name, config):
                found = found or layer.name
                continue
            keeps = name in (*_BEFORE_SCALING, *_SCALING) or name.startswith(_KINDS_BEFORE_SCALING)
            if not keeps:
                return ""
            following = TensorRef(layer.name, index)
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return found


def _changes_numbers(model: Model, layer: str, name: str, config: Mapping[str, Any]) -> bool:
    """Say whether a layer scales: a Normalization that was never fitted does not."""
    if name == "Rescaling":
        return not leaves_numbers(config)
    mean, variance = (model.weights.get(f"{layer}/{what}") for what in ("mean", "variance"))
    if mean is None or variance is None:
        return config.get("mean") is not None
    return bool(np.any(mean != 0) or np.any(variance != 1))
