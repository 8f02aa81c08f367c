"""What owners keep and have under way: the rows that quotas count."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from potluck_coordinator.core.records import Study
from potluck_coordinator.core.visitors import ANYONE, OWNER_PREFIX
from potluck_coordinator.storage.rows import fact
from potluck_coordinator.storage.tables import DatasetRow, ModelRow, StudyRow


def datasets(session: Session, owner: str | None) -> list[tuple[str, int]]:
    """Give name and bytes of an owner's datasets; None: of all who have no account."""
    query = select(DatasetRow.name, DatasetRow.bytes).where(
        _owned(col(DatasetRow.owner), owner), col(DatasetRow.deleted_at).is_(None)
    )
    return list(session.exec(query).all())


def models(session: Session, owner: str | None) -> list[tuple[str, str, str]]:
    """Give name, graph and weights (by hash) of an owner's models; None: as above."""
    query = select(ModelRow.name, ModelRow.graph, ModelRow.weights)
    return list(session.exec(query.where(_owned(col(ModelRow.owner), owner))).all())


def running(session: Session, owner: str | None) -> list[Study]:
    """Give an owner's running studies; None: as above."""
    query = select(StudyRow).where(_owned(col(StudyRow.owner), owner), StudyRow.state == "running")
    return [fact(Study, found) for found in session.exec(query)]


def _owned(column: Mapped[str], owner: str | None) -> ColumnElement[bool]:
    if owner is not None:
        return column == owner
    return or_(column == ANYONE, column.startswith(OWNER_PREFIX, autoescape=True))
