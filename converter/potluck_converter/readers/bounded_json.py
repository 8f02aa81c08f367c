"""JSON from strangers: bounded in length, depth and numbers, without NaN and infinities."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

from potluck_converter.errors import ConversionError
from potluck_converter.limits import Limits
from potluck_converter.sayable import check_sayable

_SUSPECT = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)|[\ud800-\udfff\0]")
"""What may become half a character or a NUL."""


def parse(text: str | bytes, what: str, limits: Limits) -> dict[str, Any]:
    """Parse one JSON object; raises `model.too_large` or `model.unreadable`."""
    if len(text) > limits.json_bytes:
        raise ConversionError(
            "model.too_large",
            f"{what} is too long.",
            expected=f"at most {limits.json_bytes} bytes",
            got=f"{len(text)} bytes",
            where=what,
        )
    try:
        if isinstance(text, bytes):
            # json.loads would let halves of characters through.
            text = text.decode(json.detect_encoding(text))
        value = json.loads(
            text, parse_constant=_no_constant, parse_int=_integer, parse_float=_float
        )
    except RecursionError as error:
        raise _too_deep(what, limits) from error
    except ValueError as error:
        raise ConversionError(
            "model.unreadable",
            f"{what} is not valid JSON.",
            expected="JSON",
            got=str(error),
            hint="Save the model again.",
            where=what,
        ) from error
    _check_depth(value, what, limits)
    if _SUSPECT.search(text):
        _check_texts(value, what)
    if not isinstance(value, dict):
        raise ConversionError(
            "model.unreadable", f"{what} is not a JSON object.", expected="an object", where=what
        )
    return value


def _check_texts(value: Any, what: str) -> None:
    """Refuse text that could not be written again; the depth was looked at before."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            check_sayable(item, what)
        elif isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    # The longest that Keras writes have 64 bits.
    if len(digits) > 20:
        raise ValueError(f"{digits[:20]}... has too many digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ValueError(f"{digits[:40]} is too large a number")
    return value


def _too_deep(what: str, limits: Limits) -> ConversionError:
    return ConversionError(
        "model.too_large",
        f"{what} is nested too deeply.",
        expected=f"at most {limits.json_depth} levels",
        where=what,
    )


def _check_depth(value: Any, what: str, limits: Limits) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limits.json_depth):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep(what, limits)
