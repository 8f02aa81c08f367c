"""How canonical values are written for TF.js."""

from __future__ import annotations

from typing import Any

from potluck_converter.layers.activations import tfjs_activation
from potluck_converter.layers.initializers import tfjs_initializer


def tfjs_value(key: str, value: Any) -> Any:
    """Render one config value for TF.js: its own names of activations and initializers."""
    if value is None:
        return None
    if key.endswith("activation"):
        return tfjs_activation(value)
    if key.endswith("_initializer"):
        return tfjs_initializer(value)
    if key.endswith("_regularizer") and value["class_name"] == "OrthogonalRegularizer":
        return {**value, "class_name": "PotluckOrthogonalRegularizer"}
    return value
