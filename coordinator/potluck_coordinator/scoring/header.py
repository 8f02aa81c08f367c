"""The head of a checkpoint: what it says lies in it, read before anything of it is held.

A header is taken apart entry by entry. Read whole, four megabytes of brackets would keep the
interpreter, and everybody whom it serves, for a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from potluck_coordinator.core.errors import BadResult

HEADER_MOST = 4 * 1024**2
"""Bytes of any header."""
LENGTH_BYTES = 8
MOST_KEY = 2_000
MOST_ENTRY = 4_000
"""Characters of a name, and of what is said of it, as they are written."""
METADATA = "__metadata__"
ENTRY = {"dtype", "shape", "data_offsets"}
FORMAT = "potluck.checkpoint.v1"
_SPACE = re.compile(r"[ \t\n\r]*")
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ENTRY = re.compile(r'\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\}', re.DOTALL)


class Reader(Protocol):
    """A file, or what reads as one."""

    def read(self, size: int, /) -> Any:
        """Give so many bytes, or fewer at the end."""


@dataclass(frozen=True)
class Header:
    """What a checkpoint says of itself. The tensors fill the `body_bytes` after it exactly."""

    entries: dict[str, dict[str, Any]]
    metadata: dict[str, Any]
    body_bytes: int


def read_header(content: Reader, size: int, most: int = HEADER_MOST) -> Header:
    """Read a checkpoint's header, and leave the reader at its first tensor.

    Args:
        content: The checkpoint, at its beginning.
        size: Its bytes.
        most: Bytes that its header may have.

    Raises:
        BadResult: `result.unreadable`.
    """
    if size < LENGTH_BYTES:
        raise unreadable("8 bytes of header length", f"{size} bytes")
    length = int.from_bytes(read_exactly(content, LENGTH_BYTES), "little")
    if length > min(most, size - LENGTH_BYTES):
        room = f"a header inside the file, of at most {most} bytes"
        raise unreadable(room, f"a header of {length} bytes")
    try:
        entries = _entries(read_exactly(content, length).decode("utf-8"))
    except (ValueError, RecursionError) as error:  # of what is no JSON, or no UTF-8
        raise unreadable("a header of JSON", str(error)[:120]) from None
    metadata = entries.pop(METADATA, {})
    if metadata.get("format") != FORMAT:
        raise unreadable(f"metadata with format {FORMAT}", repr(metadata)[:120])
    body = size - LENGTH_BYTES - length
    _check_layout(entries, body)
    return Header(entries, metadata, body)


def read_exactly(content: Reader, size: int) -> bytes:
    """Read so many bytes.

    Args:
        content: What to read from.
        size: How many.

    Raises:
        BadResult: `result.unreadable` where it ends before.
    """
    found = bytes(content.read(size))
    while len(found) < size:
        more = bytes(content.read(size - len(found)))
        if not more:
            raise unreadable(f"{size} bytes more", f"{len(found)} bytes")
        found += more
    return found


def unreadable(expected: str, got: str, where: str = "") -> BadResult:
    """Refuse what is no checkpoint.

    Args:
        expected: What would be one.
        got: What it is instead.
        where: The tensor, where one is to blame.
    """
    return BadResult(
        "result.unreadable",
        "The result is no checkpoint.",
        expected=expected,
        got=got,
        hint="docs/protocol.md describes the format.",
        where=where[:120],
    )


def _entries(text: str) -> dict[str, dict[str, Any]]:
    """Read a JSON object of objects that hold no others. Raises ValueError."""
    found: dict[str, dict[str, Any]] = {}
    at = _behind("{", text, 0)
    while text[at : at + 1] != "}" or found:
        key, at = _piece(_KEY, text, at, MOST_KEY)
        entry, at = _piece(_ENTRY, text, _behind(":", text, at), MOST_ENTRY)
        if key in found:
            raise ValueError("a name comes twice")
        if key != METADATA and set(entry) != ENTRY:
            raise unreadable("dtype, shape and data_offsets", repr(entry)[:120], key)
        found[key] = entry
        at = _blanks(text, at)
        if text[at : at + 1] == "}":
            break
        at = _behind(",", text, at)
    if _blanks(text, at + 1) != len(text):
        raise ValueError("something comes after the header's end")
    return found


def _behind(mark: str, text: str, at: int) -> int:
    """Give the place of what comes after a mark, with the blanks around it."""
    at = _blanks(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"no {mark} at character {at}")
    return _blanks(text, at + 1)


def _blanks(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # there may be none of them
    return found.end()


def _piece(kind: re.Pattern[str], text: str, at: int, most: int) -> tuple[Any, int]:
    """Read one name or entry, and say where it ends."""
    found = kind.match(text, at, at + most)
    if found is None:
        raise ValueError(f"no name, or no entry of one tensor, at character {at}")
    return json.loads(found[0], object_pairs_hook=_without_repeats), found.end()


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _check_layout(entries: Mapping[str, Any], size: int) -> None:
    """Insist that the tensors fill the body exactly, without overlap."""
    spans: list[tuple[int, int]] = []
    for key, entry in entries.items():
        offsets, shape = entry["data_offsets"], entry["shape"]
        if not (_whole_numbers(offsets) and len(offsets) == 2 and _whole_numbers(shape)):
            raise unreadable("offsets and shape of whole numbers", repr(entry)[:120], key)
        spans.append((offsets[0], offsets[1]))
    at = 0
    for start, end in sorted(spans):
        if start != at or end < start:
            raise unreadable("tensors one after the other", f"one from {start} to {end}, at {at}")
        at = end
    if at != size:
        raise unreadable(f"{at} bytes of tensors", f"{size} bytes")


def _whole_numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)
