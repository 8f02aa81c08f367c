"""Pages of lists whose rows may be large: bounded by their number, and by what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Text, cast, func
from sqlmodel import Session, col, select

from potluck_coordinator.storage.tables import DatasetRow, ModelRow, StudyRow

Row = TypeVar("Row", DatasetRow, ModelRow, StudyRow)

MOST_LISTED = 500
"""Rows that one page holds."""
MOST_BYTES = 2 * 2**20
"""Of what is kept as JSON in a page's rows; it holds one row at least."""
READ_AT_ONCE = 25


def fitting(
    wanted: Sequence[str],
    sizes: Callable[[Sequence[str]], Mapping[str, int]],
    most_bytes: int = MOST_BYTES,
) -> Iterator[list[str]]:
    """Give the first ids of a list whose rows fit on a page, a few at a time.

    No more sizes are asked for than are needed: a database reads whole rows for them.

    Args:
        wanted: The ids of the rows in their order.
        sizes: Gives the bytes, or characters, of some of these rows, by id.
        most_bytes: What the rows of a page may have together.
    """
    left, begun = most_bytes, False
    for begin in range(0, len(wanted), READ_AT_ONCE):
        some = wanted[begin : begin + READ_AT_ONCE]
        found = sizes(some)
        taken: list[str] = []
        for one in some:
            left -= found[one]
            if left < 0 and (begun or taken):
                break
            taken.append(one)
        if taken:
            yield taken
        begun = True
        if len(taken) < len(some):
            return


def rows_of_page(
    session: Session,
    kind: type[Row],
    wanted: Sequence[str],
    columns: Sequence[Any],
    most_bytes: int = MOST_BYTES,
) -> Iterator[Row]:
    """Read the first rows of a list that fit on a page, in their order, as they are asked for.

    Args:
        session: The transaction.
        kind: The table.
        wanted: The ids of the rows in their order.
        columns: Those whose JSON counts.
        most_bytes: What these may have together.
    """
    first, *others = (func.length(cast(col(column), Text)) for column in columns)
    size = sum(others, first)

    def sizes(some: Sequence[str]) -> dict[str, int]:
        return dict(session.exec(select(kind.id, size).where(col(kind.id).in_(some))).all())

    for taken in fitting(wanted, sizes, most_bytes):
        rows = session.exec(select(kind).where(col(kind.id).in_(taken)))
        found = {row.id: row for row in rows}
        for one in taken:
            yield found.pop(one)
