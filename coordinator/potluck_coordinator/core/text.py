"""Text that can be said again: what no UTF-8 can hold, or no database keeps, is not taken in.

A lone surrogate (half of a character, as `"\\ud800"` in JSON or in a NumPy array) can be held by
Python's text, but written by nothing; PostgreSQL keeps no NUL.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from potluck_coordinator.core.errors import BadInput

DEEPEST = 64
"""Levels of lists and objects in one JSON text."""
MOST_VALUES = 50_000
"""Values of one JSON text, its commas and brackets counted: its reader takes time for each."""
MOST_NAMES = 5_000
"""Names of one JSON text's objects: each can be wrong, and every fault of a text is written down
before the first can be told."""
LARGEST_INTEGER = 2**53
"""Above it JSON's readers do not agree on what a whole number is."""
_MOST_DIGITS = 20
_LONG_NUMBER = re.compile(r"[0-9]{16}|[0-9][eE]")
"""All numbers that are too large have this in them, as some texts do."""
_NAME = re.compile(r'"[ \t\n\r]*:')
"""What follows a name, and is found in texts only where they tell of one."""
_HOLDING = (str, list, dict)
_MARK = "\ufeff"
"""What some begin a text with, to tell in which encoding it is."""


def fault_in(text: str) -> str:
    """Say what in a text cannot be said again; give nothing where all of it can.

    Args:
        text: Any text.
    """
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"half of a character (U+{ord(text[error.start]):04X})"
    return ""


def mended(value: Any) -> Any:
    """Give a value of JSON with U+FFFD in the place of what cannot be said.

    Args:
        value: Text, a number, or lists, tuples and mappings of them.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {mended(key): mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(mended(item) for item in value)
    return value


def decoded(body: bytes, what: str) -> str:
    """Decode what was sent as text.

    Args:
        body: The bytes.
        what: What they are, to begin a sentence.

    Raises:
        BadInput: `request.unsayable` where they are no UTF-8.
    """
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise _unsayable(
            what, f"byte 0x{body[error.start]:02x} at position {error.start}"
        ) from None


def check_json(text: str, what: str) -> None:
    """Refuse JSON that cannot be kept and told again as it came. Other faults are not looked for.

    Args:
        text: What was sent; what is no JSON at all is left to its reader. What a reader of bytes
            could take for another encoding, by a mark at its begin or by a NUL, is refused:
            it would read another text than this one.
        what: What it is, to begin a sentence.

    Raises:
        BadInput: `request.unsayable` for half a character or a NUL in any text or name, a NUL as
            it is, or a byte order mark;
            `request.number` for NaN, infinities and numbers that overflow; `request.too_deep` for
            more than 64 levels; `request.too_many` for more than 50,000 values, or 5,000 names
            of objects.
    """
    if text.startswith(_MARK) or "\0" in text:
        raise _unsayable(what, "a byte order mark" if text.startswith(_MARK) else fault_in(text))
    values = text.count(",") + text.count("[") + text.count("{")
    if values > MOST_VALUES:
        raise BadInput(
            "request.too_many",
            f"{what} holds too many values.",
            expected=f"at most {MOST_VALUES:,}",
            got=f"about {values:,}",
        )
    names = text.count(":")
    if names > MOST_NAMES:  # many texts have colons, few as many as this
        names = sum(1 for _ in _NAME.finditer(text))
    if names > MOST_NAMES:
        raise BadInput(
            "request.too_many",
            f"{what} holds too many names.",
            expected=f"at most {MOST_NAMES:,}",
            got=f"about {names:,}",
        )
    # Looked at one by one only where something in them could be wrong: that takes long.
    exact: dict[str, Any] = {}
    if _LONG_NUMBER.search(text):
        exact = {"parse_float": _float, "parse_int": _integer}
    try:
        value = json.loads(text, parse_constant=_no_constant, **exact)
    except _NoNumber as error:
        raise BadInput(
            "request.number",
            f"{what} holds a number that JSON or this coordinator cannot hold.",
            expected="finite numbers, and whole ones of at most 2**53",
            got=str(error),
        ) from None
    except RecursionError:
        raise _too_deep(what) from None
    except ValueError:
        return
    if "\\u" in text or text.count("[") + text.count("{") > DEEPEST:
        _check_texts(value, what)


def check_said(text: str, what: str) -> None:
    """Refuse one text that cannot be kept and told again.

    Args:
        text: What was sent.
        what: What it is, to begin a sentence.

    Raises:
        BadInput: `request.unsayable`.
    """
    if fault := fault_in(text):
        raise _unsayable(what, fault)


def _check_texts(value: Any, what: str) -> None:
    level = [value] if isinstance(value, _HOLDING) else []
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if fault := fault_in(item):
                    raise _unsayable(what, fault)
            elif isinstance(item, dict):
                below += item
                below += [one for one in item.values() if isinstance(one, _HOLDING)]
            else:
                below += [one for one in item if isinstance(one, _HOLDING)]
        if not below:
            return
        level = below
    raise _too_deep(what)


def _unsayable(what: str, got: str) -> BadInput:
    return BadInput(
        "request.unsayable",
        f"{what} holds text that cannot be kept.",
        expected="text in UTF-8, of whole characters and without NUL",
        got=got,
        hint="Write this text again; it may have been cut in the middle of a character.",
    )


def _too_deep(what: str) -> BadInput:
    return BadInput(
        "request.too_deep",
        f"{what} is nested too deeply.",
        expected=f"at most {DEEPEST} levels of lists and objects",
        got="more",
    )


class _NoNumber(Exception):
    """Leaves the parser with a number that cannot be."""


def _no_constant(name: str) -> NoReturn:
    raise _NoNumber(name)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _NoNumber(digits[:40])
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS or abs(int(digits)) > LARGEST_INTEGER:
        raise _NoNumber(digits[:40])
    return int(digits)
