"""Tell an exception without its words: those of a library may hold a cell, a token, an address."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator

MOST_FRAMES = 40
MOST_CAUSES = 8
FRAMES = "potluck_frames"
"""The attribute with the frames of the worker process that an exception came from."""


def frames_of(error: BaseException) -> list[str]:
    """Say where an exception was raised: `file:line function`, the innermost call last."""
    here = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    there = getattr(error, FRAMES, [])
    return [*here, *there][-MOST_FRAMES:]


def kind_of(error: BaseException) -> str:
    """Name an exception: its class and, where it has one, its code. Never its message."""
    name = type(error).__name__
    told = [str(code) for code in _codes(error)]
    return f"{name} ({', '.join(told)})" if told else name


def _codes(error: BaseException) -> Iterator[object]:
    code = getattr(error, "code", None)  # of ours; stable
    if isinstance(code, str | int):
        yield code
    if isinstance(error, OSError) and error.errno is not None:
        yield errno.errorcode.get(error.errno, error.errno)
    driver = getattr(error, "orig", None)  # SQLAlchemy's
    if isinstance(driver, BaseException):
        yield type(driver).__name__
        for name in ("sqlstate", "sqlite_errorname"):
            if getattr(driver, name, None):
                yield getattr(driver, name)


def chain_of(error: BaseException) -> list[tuple[str, list[str]]]:
    """Tell an exception and what led to it, the last one first: its kind, and its frames."""
    told: list[tuple[str, list[str]]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(told) < MOST_CAUSES:
        seen.add(id(current))
        told.append((kind_of(current), frames_of(current)))
        for inner in getattr(current, "exceptions", ())[:MOST_CAUSES]:
            told.append((kind_of(inner), frames_of(inner)))
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    return told
