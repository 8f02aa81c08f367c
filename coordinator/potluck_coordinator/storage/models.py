"""Uploaded models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import delete
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.records import Model
from potluck_coordinator.storage.pages import MOST_BYTES, MOST_LISTED, rows_of_page
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


def same(session: Session, model: Model) -> Model | None:
    """Find the owner's model that was read from the same bytes, whatever its name."""
    query = (
        select(ModelRow)
        .where(ModelRow.owner == model.owner, ModelRow.hash == model.hash)
        .order_by(col(ModelRow.created_at))
    )
    for found in session.exec(query):
        kept = fact(Model, found)
        if _plain(kept) == _plain(model):
            return kept
    return None


def _plain(model: Model) -> str:
    """Give what was read of a model besides graph and weights."""
    return json.dumps([model.report, model.facts], sort_keys=True)


def remove(session: Session, model_id: str) -> None:
    """Remove a model that no study uses."""
    session.exec(delete(ModelRow).where(col(ModelRow.id) == model_id))


def page(
    session: Session,
    *,
    owners: Sequence[str] | None,
    limit: int = MOST_LISTED,
    offset: int = 0,
    most_bytes: int = MOST_BYTES,
) -> Iterator[Model]:
    """List models, newest first: a page of them.

    Where reports are large a page is shorter; only after the last model it is empty.
    Rows are read a few at a time, as they are asked for.

    Args:
        session: The transaction.
        owners: Whose models; None: everybody's.
        limit: How many at most.
        offset: How many the pages before had.
        most_bytes: Of reports and facts, as they are kept.
    """
    query = (
        select(ModelRow.id)
        .order_by(col(ModelRow.created_at).desc(), col(ModelRow.id))
        .limit(limit)
        .offset(offset)
    )
    if owners is not None:
        query = query.where(col(ModelRow.owner).in_(owners))
    wanted = session.exec(query).all()
    for found in rows_of_page(
        session, ModelRow, wanted, (ModelRow.report, ModelRow.facts), most_bytes
    ):
        yield fact(Model, found)
