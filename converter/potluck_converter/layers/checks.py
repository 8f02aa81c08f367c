"""Checks of config fields: each returns the canonical value or raises Unfit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.layers.base import Check, Field
from potluck_converter.limits import MAX_DIMENSION


def integer(least: int = 1, most: int = MAX_DIMENSION) -> Check:
    """Accept a whole number in a range."""

    def check(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Unfit(f"a whole number from {least} to {most}", got=value)
        return value

    return check


def number(least: float = -math.inf, below: float = math.inf) -> Check:
    """Accept a finite number, `least <= n < below`."""

    def check(value: Any) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not math.isfinite(value) or not least <= value < below:
            raise Unfit(f"a number of at least {least} and below {below}", got=value)
        return float(value)

    return check


def boolean(value: Any) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise Unfit("true or false", got=value)
    return value


def choice(*allowed: str) -> Check:
    """Accept one of some words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Unfit("one of " + ", ".join(allowed), got=value)
        return value

    return check


def sizes(rank: int) -> Check:
    """Accept a positive whole number, or one for each of `rank` axes; give a list."""
    one = integer()

    def check(value: Any) -> list[int]:
        if isinstance(value, list | tuple):
            if len(value) != rank:
                raise Unfit(f"{rank} whole number(s)", got=value)
            return [one(n) for n in value]
        return [one(value)] * rank

    return check


def only(name: str, value: Any, reason: str, hint: str = "", also: tuple[Any, ...] = ()) -> Field:
    """Make a field with one accepted value, which is the default and is not stored."""

    def check(given: Any) -> Any:
        for fine in (value, *also):
            if given == fine and isinstance(given, bool) == isinstance(fine, bool):
                return value
        raise Unfit(f"{name} = {value!r}", got=given, reason=reason, hint=hint)

    return Field(name, value, check, stored=False)


ACTIVATIONS = (
    *("linear", "relu", "relu6", "elu", "selu", "sigmoid", "softmax", "softplus"),
    *("softsign", "tanh", "silu", "gelu", "mish", "log_softmax"),
)
_RENAMED_ACTIVATIONS = {"swish": "silu", "logSoftmax": "log_softmax"}


def activation(value: Any) -> str:
    """Accept an activation that stock TF.js computes as Keras 3 does."""
    if value is None:
        return "linear"
    name = _RENAMED_ACTIVATIONS.get(value, value) if isinstance(value, str) else None
    if name in ("hard_sigmoid", "hardSigmoid"):
        raise Unfit(
            "another activation",
            got="hard_sigmoid",
            reason="Keras 3, Keras 2 and TF.js do not mean the same function by it",
            hint="Use sigmoid.",
        )
    if name not in ACTIVATIONS:
        raise Unfit(
            "one of " + ", ".join(ACTIVATIONS),
            got=value,
            reason="TF.js has no such activation, or it is a custom function",
            hint="Train with one of the activations listed.",
        )
    return str(name)


def object_parts(value: Any, what: str) -> tuple[str, Mapping[str, Any]]:
    """Split `{"class_name", "config"}` or a bare name; raises Unfit for anything else."""
    if isinstance(value, str):
        return value, {}
    if isinstance(value, dict):
        name, config = value.get("class_name"), value.get("config", {})
        if isinstance(name, str) and isinstance(config, dict | None):
            return name, config or {}
    raise Unfit(f"the name of {what}, or its class and config", got=value)


def regularizer(value: Any) -> dict[str, Any] | None:
    """Accept none, L1, L2 or L1L2; give L1L2."""
    if value is None:
        return None
    name, config = object_parts(value, "a regularizer")
    weight = number(0.0)
    default = {"l1": 0.0, "l2": 0.0}
    if name in ("L1", "l1"):
        default["l1"] = 0.01
    elif name in ("L2", "l2"):
        default["l2"] = 0.01
    elif name not in ("L1L2", "l1_l2", "L1_L2"):
        raise Unfit(
            "L1, L2 or L1L2",
            got=name,
            reason="TF.js has no such regularizer",
            hint="Train with L1 or L2 regularization.",
        )
    # An absent half of a given pair means zero; Keras itself always writes both.
    parts = {key: config.get(key) for key in ("l1", "l2")}
    if parts["l1"] is None and parts["l2"] is None:
        l1, l2 = default["l1"], default["l2"]
    else:
        l1, l2 = (weight(parts[key] or 0.0) for key in ("l1", "l2"))
    if l1 == 0.0 and l2 == 0.0:
        return None
    return {"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}


def constraint_free(name: str) -> Field:
    """Make a field that must be empty: stock TF.js skips constraints in a training step."""
    return only(
        name,
        None,
        "TF.js reads weight constraints but does not apply them while training",
        "Train without the constraint, or use a regularizer.",
    )


def no_activity_regularizer() -> Field:
    """Make the field that every layer has and TF.js refuses."""
    return only(
        "activity_regularizer",
        None,
        "TF.js cannot train with an activity regularizer",
        "Regularize the kernel instead.",
    )


def channels_last() -> Field:
    """Make the data_format field: TF.js trains channels-last only on every backend."""
    return only(
        "data_format",
        "channels_last",
        "TF.js trains with channels last only",
        'Build the model with data_format="channels_last".',
        also=(None, "channelsLast"),
    )


def no_lora() -> tuple[Field, ...]:
    """Make the fields of Keras 3's low-rank and quantized forms, which must be empty."""
    reason = "low-rank and quantized layers are not read"
    hint = "Save the model before enabling LoRA or quantization."
    return tuple(
        only(name, None, reason, hint)
        for name in ("lora_rank", "lora_alpha", "quantization_config")
    )
