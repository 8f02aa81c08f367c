"""Rows to facts and back: same field names on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
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
    """Give a fact's row; tuples become lists."""
    return kind(**{k: _plain(v) for k, v in asdict(value).items()})


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value


def changed(session: Session, statement: Executable) -> int:
    """Run a bulk update or delete; give how many rows it met."""
    session.flush()
    return session.connection().execute(statement).rowcount
