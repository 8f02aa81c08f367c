"""Uploaded datasets: immutable, versioned by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.records import Dataset
from potluck_coordinator.storage.pages import MOST_BYTES, MOST_LISTED, rows_of_page
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import DatasetRow


def add(session: Session, dataset: Dataset) -> None:
    """Keep a dataset."""
    session.add(row(DatasetRow, dataset))
    session.flush()


def next_version(session: Session, owner: str, name: str) -> int:
    """Give the next version number of a name."""
    query = select(func.max(DatasetRow.version)).where(
        DatasetRow.owner == owner, DatasetRow.name == name
    )
    return (session.exec(query).one() or 0) + 1


def same(session: Session, owner: str, filename: str, hash_: str) -> Dataset | None:
    """Find the owner's dataset of these bytes, if it is still there.

    A file name's ending says how bytes are read, so that it is part of what is the same.
    """
    query = (
        select(DatasetRow)
        .where(
            DatasetRow.owner == owner,
            DatasetRow.hash == hash_,
            col(DatasetRow.deleted_at).is_(None),
        )
        .order_by(col(DatasetRow.created_at))
    )
    ending = PurePath(filename).suffix.lower()
    found = (row for row in session.exec(query) if PurePath(row.filename).suffix.lower() == ending)
    first = next(found, None)
    return None if first is None else fact(Dataset, first)


def get(session: Session, dataset_id: str) -> Dataset:
    """Give a dataset, deleted ones too. Raises NotFound `dataset.not_found`."""
    found = session.get(DatasetRow, dataset_id, populate_existing=True)
    if found is None:
        raise NotFound(
            "dataset.not_found", "There is no such dataset.", got=dataset_id, where="dataset_id"
        )
    return fact(Dataset, found)


def page(
    session: Session,
    *,
    owners: Sequence[str] | None,
    limit: int = MOST_LISTED,
    offset: int = 0,
    most_bytes: int = MOST_BYTES,
) -> Iterator[Dataset]:
    """List datasets that are still there, newest first: a page of them.

    Where profiles are large a page is shorter; only after the last dataset it is empty.
    Rows are read a few at a time, as they are asked for.

    Args:
        session: The transaction.
        owners: Whose datasets; None: everybody's.
        limit: How many at most.
        offset: How many the pages before had.
        most_bytes: Of profiles, as they are kept.
    """
    query = (
        select(DatasetRow.id)
        .where(col(DatasetRow.deleted_at).is_(None))
        .order_by(col(DatasetRow.created_at).desc(), col(DatasetRow.id))
        .limit(limit)
        .offset(offset)
    )
    if owners is not None:
        query = query.where(col(DatasetRow.owner).in_(owners))
    wanted = session.exec(query).all()
    for found in rows_of_page(session, DatasetRow, wanted, (DatasetRow.profile,), most_bytes):
        yield fact(Dataset, found)


def mark_deleted(session: Session, dataset_id: str, at: float) -> bool:
    """Delete once; False where it was gone before."""
    statement = (
        update(DatasetRow)
        .where(col(DatasetRow.id) == dataset_id, col(DatasetRow.deleted_at).is_(None))
        .values(deleted_at=at)
    )
    return bool(changed(session, statement))
