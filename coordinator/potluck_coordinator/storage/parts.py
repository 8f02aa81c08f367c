"""A study's parts: which rows they are, and whether the encoded ones are kept now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, exists, func, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.records import Part
from potluck_coordinator.core.row_numbers import PartRows, RowNumbers
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.storage.rows import changed
from potluck_coordinator.storage.tables import PartRow, StudyRow, UnitRow
from potluck_coordinator.storage.trust_tables import ReplayRow

ABOUT = tuple(getattr(PartRow, f.name) for f in fields(Part))
"""What is small of a part: neither its row numbers nor its encoder."""


def get(session: Session, study_id: str, number: int) -> Part:
    """Give one part. Raises NotFound `study.part_not_found`."""
    query = select_columns(*ABOUT).where(_is(study_id, number))
    found = session.execute(query).first()
    if found is None:
        raise _no_part(number)
    return Part(**found._mapping)


def of_study(session: Session, study_id: str) -> list[Part]:
    """List a study's parts."""
    query = (
        select_columns(*ABOUT).where(col(PartRow.study_id) == study_id).order_by(col(PartRow.part))
    )
    return [Part(**found._mapping) for found in session.execute(query)]


def all_kept(session: Session, study_id: str) -> bool:
    """Say whether the encoded rows of all parts of a study are there."""
    query = select(PartRow.part).where(PartRow.study_id == study_id, col(PartRow.kept).is_(False))
    return session.exec(query.limit(1)).first() is None


def rows_of(session: Session, study_id: str, numbers: Collection[int]) -> dict[int, PartRows]:
    """Give which rows some parts of a study are: only for those who work with the rows.

    Args:
        session: The transaction.
        study_id: The study.
        numbers: The parts.
    """
    train, held = (cast(col(c), Text) for c in (PartRow.train_rows, PartRow.held_rows))
    query = select_columns(col(PartRow.part), train, held).where(
        col(PartRow.study_id) == study_id, col(PartRow.part).in_(numbers)
    )
    return {
        part: PartRows(part, RowNumbers(train), RowNumbers(held))
        for part, train, held in session.execute(query)
    }


def held_rows(session: Session, study_id: str, number: int) -> int:
    """Count the rows that score a part. Raises NotFound `study.part_not_found`."""
    query = select_columns(func.json_array_length(PartRow.held_rows))
    found = session.execute(query.where(_is(study_id, number))).scalar()
    if found is None:
        raise _no_part(number)
    return int(found)


def encoder_of(session: Session, study_id: str, number: int) -> Mapping[str, Any]:
    """Give a part's encoder: {} before it was encoded. Raises NotFound `study.part_not_found`."""
    query = select_columns(col(PartRow.encoder)).where(_is(study_id, number))
    found: Mapping[str, Any] | None = session.execute(query).scalar()
    if found is None:
        raise _no_part(number)
    return found


def _is(study_id: str, number: int) -> ColumnElement[bool]:
    return and_(col(PartRow.study_id) == study_id, col(PartRow.part) == number)


def _no_part(number: int) -> NotFound:
    return NotFound("study.part_not_found", "This study has no such part.", got=str(number))


def keep(
    session: Session,
    study_id: str,
    number: int,
    *,
    train: str,
    held: str,
    encoder: Mapping[str, Any],
) -> None:
    """Name the artifacts that a part's encoded rows are in: from now on they are kept."""
    changed(
        session,
        update(PartRow)
        .where(_is(study_id, number))
        .values(train=train, held=held, encoder=dict(encoder), kept=True),
    )


def drop(session: Session, study_id: str) -> set[str]:
    """Keep a study's encoded rows no longer; give the artifacts that this named."""
    query = select(PartRow.train, PartRow.held).where(
        PartRow.study_id == study_id, col(PartRow.kept).is_(True)
    )
    found = {sha for pair in session.exec(query) for sha in pair if sha is not None}
    changed(
        session,
        update(PartRow).where(col(PartRow.study_id) == study_id).values(kept=False),
    )
    mark(session, study_id, encoded=False)
    return found


def mark(session: Session, study_id: str, *, encoded: bool) -> None:
    """Say whether the rows that a study's units need now are all there."""
    changed(session, update(StudyRow).where(col(StudyRow.id) == study_id).values(encoded=encoded))


def no_longer_needed(session: Session) -> list[str]:
    """List the studies that have ended and still keep encoded rows which nothing waits for."""
    returned = exists().where(
        col(UnitRow.study_id) == col(StudyRow.id), col(UnitRow.state) == UnitState.RETURNED.value
    )
    replayed = exists().where(
        col(ReplayRow.study_id) == col(StudyRow.id),
        col(ReplayRow.state) == ReplayState.OPEN.value,
    )
    query = (
        select(StudyRow.id)
        .join(PartRow, col(PartRow.study_id) == col(StudyRow.id))
        .where(col(PartRow.kept).is_(True), StudyRow.state != "running", ~returned, ~replayed)
        .distinct()
    )
    return list(session.exec(query))
