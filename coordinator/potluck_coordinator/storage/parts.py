"""A study's parts: which rows they are, and whether the encoded ones are kept now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import exists, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.records import Part
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.storage.rows import changed, fact
from potluck_coordinator.storage.tables import PartRow, StudyRow, UnitRow
from potluck_coordinator.storage.trust_tables import ReplayRow


def get(session: Session, study_id: str, number: int) -> Part:
    """Give one part. Raises NotFound `study.part_not_found`."""
    found = session.get(PartRow, (study_id, number), populate_existing=True)
    if found is None:
        raise NotFound("study.part_not_found", "This study has no such part.", got=str(number))
    return fact(Part, found)


def of_study(session: Session, study_id: str) -> list[Part]:
    """List a study's parts."""
    query = select(PartRow).where(PartRow.study_id == study_id).order_by(col(PartRow.part))
    found = session.exec(query.execution_options(populate_existing=True))
    return [fact(Part, part) for part in found]


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
        .where(col(PartRow.study_id) == study_id, col(PartRow.part) == number)
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
