"""How canonical values are written for TF.js."""

from __future__ import annotations

from typing import Any

from potluck_converter.layers.initializers import tfjs_initializer


def tfjs_value(key: str, value: Any) -> Any:
    """Render one config value for TF.js: its own names of activations and initializers."""
    if key.endswith("activation"):
        return {"silu": "swish"}.get(value, value)
    if key.endswith("_initializer"):
        return tfjs_initializer(value)
    return value
