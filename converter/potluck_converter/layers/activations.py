"""Keras's activations: which there are, and which of them are TF.js's own."""

from __future__ import annotations

from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.layers.checks import foreign
from potluck_converter.origin import is_custom

STOCK = {
    # Keras 3's name, and TF.js's.
    **{name: name for name in ("linear", "relu", "relu6", "elu", "selu", "sigmoid", "softmax")},
    **{name: name for name in ("softplus", "softsign", "tanh", "gelu", "mish")},
    "silu": "swish",
    "hard_sigmoid_keras2": "hard_sigmoid",
}
OWN = (
    *("hard_sigmoid", "leaky_relu", "exponential", "celu", "glu", "hard_silu", "hard_tanh"),
    *("hard_shrink", "soft_shrink", "squareplus", "sparse_plus", "sparsemax", "tanh_shrink"),
    # TF.js has log_softmax, but its gradient on WebGL leaves NaN where later products read it.
    *("log_sigmoid", "sparse_sigmoid", "log_softmax"),
)
ACTIVATIONS = (*STOCK, *OWN)
KERAS2_HAS = frozenset(STOCK) - {"mish", "relu6"} | {"exponential"}
PREFIX = "potluck_"
_RENAMED = {"swish": "silu", "hard_swish": "hard_silu", "soft_max": "softmax"}


def activation(value: Any) -> str:
    """Accept one of Keras's activations, under any of its names; give Keras 3's."""
    if value is None:
        return "linear"
    name = value
    if isinstance(value, dict):
        if is_custom(value):
            raise foreign(value, "an activation")
        # Keras writes functions as objects in places, each without options of its own.
        config = value.get("config")
        name = config if isinstance(config, str) else value.get("class_name")
    if isinstance(name, str):
        name = snake(name).removeprefix(PREFIX)
        name = _RENAMED.get(name, name)
    if name not in ACTIVATIONS:
        raise Unfit(
            "one of " + ", ".join(ACTIVATIONS),
            got=value,
            reason="it is a custom function, or not one of Keras's activations",
            hint="Train with one of the activations listed.",
        )
    return str(name)


def snake(name: str) -> str:
    """Undo the camel case in which TF.js keeps names."""
    if name.islower() or not name.isidentifier():
        return name
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))


def tfjs_activation(name: str) -> str:
    """Give TF.js's name: its own, or ours."""
    return STOCK.get(name, PREFIX + name)
