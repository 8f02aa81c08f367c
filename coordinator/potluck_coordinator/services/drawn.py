"""Lists for everybody, whatever one of their rows holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from potluck.protocol.base import Wire
from potluck_coordinator.core.text import mended

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Fact = TypeVar("Fact", bound="DataclassInstance")
Drawn = TypeVar("Drawn", bound=Wire)

_log = logging.getLogger(__name__)


def drawn(facts: Iterable[Fact], draw: Callable[[Fact], Drawn]) -> list[Drawn]:
    """Draw each row of a list; one that an older version let in never breaks it for everybody.

    A row whose text cannot be said is drawn with U+FFFD in its place, so that its owner sees it
    and can delete it; one that cannot be drawn at all is left out, and said in the log.

    Args:
        facts: The rows.
        draw: What makes of a row what the wire tells.
    """
    found: list[Drawn] = []
    for fact in facts:
        try:
            found.append(drawn_one(fact, draw))
        except Exception:
            _left_out(fact)
    return found


def told_rows(facts: Iterable[Fact], draw: Callable[[Fact], Drawn]) -> bytes:
    """Write a list as JSON, row by row as `drawn` draws it: no row stays when the next one comes.

    Args:
        facts: The rows, read as they are asked for.
        draw: What makes of a row what the wire tells.
    """
    rows: list[bytes] = []
    for fact in facts:
        try:
            rows.append(_told(fact, draw)[1].encode())
        except Exception:
            _left_out(fact)
    return b"[" + b",".join(rows) + b"]"


def as_list(items: Iterable[BaseModel]) -> str:
    """Write a list as JSON, one item after the other: the interpreter is kept for none longer.

    Args:
        items: What is in it.
    """
    return f"[{','.join(item.model_dump_json() for item in items)}]"


def drawn_one(fact: Fact, draw: Callable[[Fact], Drawn]) -> Drawn:
    """Draw one row, with U+FFFD where its text cannot be said.

    Args:
        fact: The row.
        draw: What makes of it what the wire tells; its errors are the caller's.
    """
    return _told(fact, draw)[0]


def _told(fact: Fact, draw: Callable[[Fact], Drawn]) -> tuple[Drawn, str]:
    try:
        found = draw(fact)
        return found, found.model_dump_json()  # a model takes text that its JSON cannot hold
    except ValueError:
        found = draw(mended_fact(fact))
        return found, found.model_dump_json()


def _left_out(fact: object) -> None:
    _log.exception("a row was left out of a list: %s", getattr(fact, "id", "?"))


def mended_fact(fact: Fact) -> Fact:
    """Give a fact with U+FFFD where its text cannot be said.

    Args:
        fact: A row's fact.
    """
    return replace(fact, **{f.name: mended(getattr(fact, f.name)) for f in fields(fact)})
