"""Uploaded models."""

from __future__ import annotations

from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.records import Model
from potluck_coordinator.storage.rows import fact, row
from potluck_coordinator.storage.tables import ModelRow


def add(session: Session, model: Model) -> None:
    """Keep a model."""
    session.add(row(ModelRow, model))
    session.flush()


def get(session: Session, model_id: str) -> Model:
    """Give a model. Raises NotFound `model.not_found`."""
    found = session.get(ModelRow, model_id)
    if found is None:
        raise NotFound("model.not_found", "There is no such model.", got=model_id, where="model_id")
    return fact(Model, found)


def by_owner(session: Session, owner: str | None) -> list[Model]:
    """List models, newest first; `None`: everybody's."""
    query = select(ModelRow).order_by(col(ModelRow.created_at).desc())
    if owner is not None:
        query = query.where(ModelRow.owner == owner)
    return [fact(Model, found) for found in session.exec(query)]
