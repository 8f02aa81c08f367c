"""Models' files that are kept: found, used, kept within a bound, and gone with their models."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, delete, func, literal, or_, select, true, union
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from potluck_coordinator.core.records import Rendering
from potluck_coordinator.storage.rendered_tables import RenderedRow
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import ModelRow, TrialRow, UnitRow

AT_ONCE = 500
"""Rows that one transaction asks for or removes: others write in between."""

GRAPHS: tuple[Mapped[str], ...] = (col(ModelRow.graph), col(TrialRow.graph))
WEIGHTS: tuple[Mapped[str] | Mapped[str | None], ...] = (
    col(ModelRow.weights),
    col(UnitRow.result),
)
"""What can be downloaded as a model: of leases and replays nothing can, though they name bytes."""


def find(session: Session, graph: str, weights: str, format: str) -> Rendering | None:
    """Give a file that is kept, or None.

    Args:
        session: The database's.
        graph: The hash of the model's graph.
        weights: The hash of its weights, or of the checkpoint that holds them.
        format: `h5`, `keras` or `tfjs`.
    """
    found = session.get(RenderedRow, (graph, weights, format))
    return None if found is None else fact(Rendering, found)


def use(session: Session, rendering: Rendering, now: float) -> None:
    """Note that somebody downloads a file: those that nobody does go first.

    Args:
        session: The database's.
        rendering: The file.
        now: The time, in seconds since 1970.
    """
    found = session.get(RenderedRow, (rendering.graph, rendering.weights, rendering.format))
    if found is not None:
        found.used_at = max(found.used_at, now)
        session.add(found)
        session.flush()


def keep(session: Session, rendering: Rendering) -> set[str] | None:
    """Keep a file that was written, in place of an earlier one.

    Args:
        session: The database's.
        rendering: The file; its bytes are in the store.

    Returns:
        What the earlier one's artifact was, if it was another one; None, and nothing is kept, where
        there is no such model any more.
    """
    if not _is_there(session, GRAPHS, rendering.graph):
        return None
    if not _is_there(session, WEIGHTS, rendering.weights):
        return None
    before = find(session, rendering.graph, rendering.weights, rendering.format)
    session.merge(row(RenderedRow, rendering))
    session.flush()
    return {before.artifact} - {rendering.artifact} if before is not None else set()


def _is_there(
    session: Session, columns: Iterable[Mapped[str] | Mapped[str | None]], sha: str
) -> bool:
    return any(
        session.connection().execute(select(literal(1)).where(column == sha).limit(1)).first()
        for column in columns
    )


def drop_beyond(session: Session, most: int, before: float) -> set[str]:
    """Remove the files that were not used for longest, at most `AT_ONCE`; give their artifacts.

    Args:
        session: The database's.
        most: Bytes that the files may take together; 0: none is left.
        before: Those that nobody has used since this time go, too.
    """
    over = session.connection().execute(select(func.sum(col(RenderedRow.bytes)))).scalar() or 0
    over -= most
    oldest = select_rows(RenderedRow).order_by(col(RenderedRow.used_at)).limit(AT_ONCE)
    gone: set[str] = set()
    for found in session.exec(oldest).all():
        if over <= 0 and found.used_at >= before:
            break
        over -= found.bytes
        gone.add(found.artifact)
        session.delete(found)
    session.flush()
    return gone


def of_no_model(session: Session, among: Collection[str] | None = None) -> list[Rendering]:
    """List the files of models that are not there any more: nobody can download them.

    Args:
        session: The database's.
        among: Only those whose graph or weights are among these hashes; None: all.
    """
    theirs: ColumnElement[bool] = true()
    if among is not None and len(among) <= AT_ONCE:
        theirs = or_(col(RenderedRow.graph).in_(among), col(RenderedRow.weights).in_(among))
    if session.exec(select_rows(RenderedRow).where(theirs).limit(1)).first() is None:
        return []  # and no other table is looked through
    graphs = union(*(select(column) for column in GRAPHS))
    weights = union(*(select(column).where(column.is_not(None)) for column in WEIGHTS))
    query = select_rows(RenderedRow).where(
        theirs,
        or_(col(RenderedRow.graph).not_in(graphs), col(RenderedRow.weights).not_in(weights)),
    )
    found = [fact(Rendering, one) for one in session.exec(query)]
    return [one for one in found if among is None or {one.graph, one.weights}.intersection(among)]


def remove(session: Session, renderings: Iterable[Rendering]) -> None:
    """Remove files as they were found; one that was written anew meanwhile stays.

    Args:
        session: The database's.
        renderings: The files.
    """
    for one in renderings:
        changed(
            session,
            delete(RenderedRow).where(
                col(RenderedRow.graph) == one.graph,
                col(RenderedRow.weights) == one.weights,
                col(RenderedRow.format) == one.format,
                col(RenderedRow.artifact) == one.artifact,
            ),
        )
