"""ConvNeXt's LayerScale, a class outside of keras.layers: each channel times a trained number.

A depthwise convolution of size one computes the same, with the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from potluck_converter.layers.base import WeightSpec

LAYER_SCALE = "LayerScale"
NOTE = "is read as the LayerScale of Keras's ConvNeXt."


def of_applications(entry: Mapping[str, Any]) -> bool:
    """Say whether a layer's entry may be a class of Keras's own applications."""
    home = entry.get("module")  # a `.h5` leaves it out
    return home is None or str(home).startswith("keras.src.applications.")


def replaced(entry: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the config of the DepthwiseConv2D that stands for it; None where it is another class."""
    known = {"init_values", "projection_dim"} <= config.keys()
    if entry.get("class_name") != LAYER_SCALE or not of_applications(entry) or not known:
        return None
    return {
        "name": config.get("name"),
        "trainable": config.get("trainable", True),
        "dtype": config.get("dtype"),
        "kernel_size": [1, 1],
        "use_bias": False,
        "depthwise_initializer": {
            "class_name": "Constant",
            "config": {"value": config.get("init_values", 1e-6)},
        },
    }


def as_stored(spec: WeightSpec, class_name: str) -> WeightSpec:
    """Give a weight as the file has it, where the file's layer is of a class; else unchanged."""
    if class_name != LAYER_SCALE:
        return spec
    return replace(spec, keras="variable", shape=(prod(spec.shape),))
