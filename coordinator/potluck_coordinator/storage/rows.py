"""Rows to facts and back: same field names on both sides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Executable
from sqlmodel import Session, SQLModel

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

F = TypeVar("F", bound="DataclassInstance")
R = TypeVar("R", bound=SQLModel)


def fact(kind: type[F], row: SQLModel) -> F:
    """Give a row's fact; lists become tuples."""
    values = {f.name: getattr(row, f.name) for f in fields(kind)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def row(kind: type[R], value: DataclassInstance) -> R:
    """Give a fact's row; tuples become lists.

    What a field holds is not copied: a fact is frozen, and its row is written at once.
    """
    return kind(**{f.name: _plain(getattr(value, f.name)) for f in fields(value)})


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value


class Written(str):
    """JSON that is text already: a column of JSON keeps it as it is."""

    __slots__ = ()


def write_json(value: object) -> str:
    """Write what a column of JSON gets.

    Args:
        value: What `json` can write, or JSON that is `Written`.
    """
    return value if isinstance(value, Written) else json.dumps(value)


def changed(session: Session, statement: Executable) -> int:
    """Run a bulk update or delete; give how many rows it met."""
    session.flush()
    return session.connection().execute(statement).rowcount
