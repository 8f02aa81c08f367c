"""The layer of Keras's InceptionResNetV2, outside of keras.layers: `a + scale * b`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potluck_converter.graph import TensorRef
from potluck_converter.readers.blocks import Entry
from potluck_converter.readers.layer_scale import of_applications


def is_scaled_sum(entry: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Say whether an entry is that layer, and no other of the same name."""
    named = entry.get("class_name") == "CustomScaleLayer"
    return named and of_applications(entry) and "scale" in config


def scaled_sum(
    name: str, config: Mapping[str, Any], calls: tuple[tuple[TensorRef, ...], ...]
) -> list[Entry]:
    """Give the Rescaling and the Add that compute it."""
    scaled = f"{name}_scaled"
    second = tuple(call[1:] for call in calls)
    summed = tuple((*call[:1], TensorRef(scaled, index)) for index, call in enumerate(calls))
    scale = {"name": scaled, "scale": config["scale"], "offset": 0.0}
    return [
        Entry(scaled, "Rescaling", scale, second, made=True),
        Entry(name, "Add", {"name": name}, summed, made=True),
    ]
