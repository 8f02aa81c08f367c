"""Lists for everybody, whatever one of their rows holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

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
            _log.exception("a row was left out of a list: %s", getattr(fact, "id", "?"))
    return found


def drawn_one(fact: Fact, draw: Callable[[Fact], Drawn]) -> Drawn:
    """Draw one row, with U+FFFD where its text cannot be said.

    Args:
        fact: The row.
        draw: What makes of it what the wire tells; its errors are the caller's.
    """
    try:
        found = draw(fact)
        found.model_dump_json()  # a model takes text that its JSON cannot hold
    except ValueError:
        return draw(mended_fact(fact))
    return found


def mended_fact(fact: Fact) -> Fact:
    """Give a fact with U+FFFD where its text cannot be said.

    Args:
        fact: A row's fact.
    """
    return replace(fact, **{f.name: mended(getattr(fact, f.name)) for f in fields(fact)})
