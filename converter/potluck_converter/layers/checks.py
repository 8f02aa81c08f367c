"""Checks of config fields: each returns the canonical value or raises Unfit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.layers.base import Check, Field
from potluck_converter.limits import MAX_DIMENSION, MAX_RANK
from potluck_converter.origin import is_custom


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


def sizes_or_none(rank: int) -> Check:
    """Accept nothing, or whole numbers of at least 0 for each axis."""
    one = integer(0)

    def check(value: Any) -> list[int] | None:
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            value = [value] * rank
        if len(value) != rank:
            raise Unfit(f"{rank} whole number(s)", got=value)
        return [one(n) for n in value]

    return check


def optional(check: Check) -> Check:
    """Accept nothing, or what `check` accepts."""

    def checked(value: Any) -> Any:
        return None if value is None else check(value)

    return checked


def defaulted(check: Check, default: Any) -> Check:
    """Read nothing as the default."""

    def checked(value: Any) -> Any:
        return check(default if value is None else value)

    return checked


def axes(value: Any) -> list[int]:
    """Accept one axis or several; give a list."""
    one = integer(-MAX_RANK, MAX_RANK)
    found = [one(n) for n in (value if isinstance(value, list | tuple) else [value])]
    if not found or len(set(found)) != len(found):
        raise Unfit("axes, each once", got=value)
    return found


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


def object_parts(value: Any, what: str) -> tuple[str, Mapping[str, Any]]:
    """Split `{"class_name", "config"}` or a bare name; raises Unfit for anything else."""
    if isinstance(value, str):
        return value, {}
    if isinstance(value, dict):
        name, config = value.get("class_name"), value.get("config", {})
        if is_custom(value):
            raise foreign(value, what)
        if isinstance(name, str) and isinstance(config, dict | None):
            return name, config or {}
    raise Unfit(f"the name of {what}, or its class and config", got=value)


def foreign(value: Mapping[str, Any], what: str) -> Unfit:
    """Say that an object is of a class, or a function, of the submitter's."""
    return Unfit(
        f"{what} of Keras's own",
        got=str(value.get("registered_name") or value.get("class_name")),
        reason="it is custom, whatever its name is",
        hint="Build the layer with one of Keras's own.",
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
