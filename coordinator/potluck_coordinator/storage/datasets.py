"""Uploaded datasets: immutable, versioned by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.records import Dataset
from potluck_coordinator.storage.pages import MOST_BYTES, MOST_LISTED, rows_of_page
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import DatasetRow, StudyRow

NOTHING_TOLD = {
    "kind": "table",
    "rows": 0,
    "columns": [],
    "suggested_target": None,
    "warnings": [],
}
"""A deleted dataset's profile."""
DELETED = "deleted dataset"
"""What it is called."""


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
    found = find(session, dataset_id)
    if found is None:
        raise NotFound(
            "dataset.not_found", "There is no such dataset.", got=dataset_id, where="dataset_id"
        )
    return found


def find(session: Session, dataset_id: str) -> Dataset | None:
    """Give a dataset, or None where its row is gone, too.

    Args:
        session: The transaction.
        dataset_id: Which one.
    """
    found = session.get(DatasetRow, dataset_id, populate_existing=True)
    return None if found is None else fact(Dataset, found)


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
    """Delete once; False where it was gone before.

    Its name, and what its profile tells of columns and cells, go at once; the row goes with the
    last study that was made of it (`drop_unnamed`).

    Args:
        session: The transaction.
        dataset_id: Which one.
        at: The time, as a Unix time.
    """
    statement = (
        update(DatasetRow)
        .where(col(DatasetRow.id) == dataset_id, col(DatasetRow.deleted_at).is_(None))
        .values(deleted_at=at, name=dataset_id, version=0, filename="", profile=NOTHING_TOLD)
    )
    return bool(changed(session, statement))


def drop_unnamed(session: Session, dataset_id: str) -> bool:
    """Remove the row of a deleted dataset that no study names any more; False: it stays.

    Args:
        session: The transaction.
        dataset_id: Which one.
    """
    named = select(StudyRow.id).where(StudyRow.dataset_id == dataset_id).exists()
    statement = delete(DatasetRow).where(
        col(DatasetRow.id) == dataset_id, col(DatasetRow.deleted_at).is_not(None), ~named
    )
    return bool(changed(session, statement))
