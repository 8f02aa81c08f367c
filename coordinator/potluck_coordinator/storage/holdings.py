"""What owners keep and have under way: the rows that quotas count."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import ColumnElement, func, or_
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from potluck_coordinator.core.records import CountedStudy
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.core.visitors import ANYONE, OWNER_PREFIX
from potluck_coordinator.storage.access_tables import GroupRow
from potluck_coordinator.storage.tables import (
    DatasetRow,
    ModelRow,
    StudyRow,
    TrialRow,
    UnitRow,
)

COUNTED_AT_ONCE = 500
TIMES_ALLOWED = 2
"""A result may be five times the weights; Adam's is three times."""


def datasets(session: Session, owner: str | None) -> list[tuple[str, str, int]]:
    """Give id, name and bytes of an owner's datasets; None: of all who have no account."""
    query = select(DatasetRow.id, DatasetRow.name, DatasetRow.bytes).where(
        _owned(col(DatasetRow.owner), owner), col(DatasetRow.deleted_at).is_(None)
    )
    return list(session.exec(query).all())


def models(session: Session, owner: str | None) -> list[tuple[str, str, str, str]]:
    """Give id, name, graph and weights (by hash) of an owner's models; None: as above."""
    query = select(ModelRow.id, ModelRow.name, ModelRow.graph, ModelRow.weights)
    return list(session.exec(query.where(_owned(col(ModelRow.owner), owner))).all())


def studies(session: Session, owner: str | None) -> list[tuple[str, str, int]]:
    """Give id, name and bytes of an owner's studies in any state; None: as above."""
    # An index has all of it: what is large in the rows is not read.
    query = select(StudyRow.id, StudyRow.name, StudyRow.kept_bytes)
    return list(session.exec(query.where(_owned(col(StudyRow.owner), owner))).all())


def groups(session: Session, owner: str | None) -> list[str]:
    """Give the ids of an owner's groups of donors; None: as above."""
    return list(session.exec(select(GroupRow.id).where(_owned(col(GroupRow.owner), owner))).all())


def running(session: Session, owner: str | None) -> list[CountedStudy]:
    """Give what counts of an owner's running studies; None: as above. Their plans are not read."""
    spec = cast(Any, col(cast(Any, StudyRow.spec)))
    query = select_columns(
        col(StudyRow.id),
        col(StudyRow.name),
        col(StudyRow.trials),
        func.coalesce(spec[("pipeline", "split", "folds")].as_integer(), 0),
        spec["repeats"].as_integer(),
        func.json_array_length(spec["rungs"]),
    ).where(_owned(col(StudyRow.owner), owner), col(StudyRow.state) == "running")
    return [
        CountedStudy(id=id, name=name, trials=trials, folds=folds, repeats=repeats, rungs=rungs)
        for id, name, trials, folds, repeats, rungs in session.execute(query)
    ]


def state_bytes(session: Session, owner: str | None) -> int:
    """Count the bytes of starts, results and predictions in an owner's studies; None: as above."""
    return _state_bytes(session, select(StudyRow.id).where(_owned(col(StudyRow.owner), owner)))


def state_bytes_of(session: Session, study_ids: Collection[str]) -> int:
    """Count the same bytes of these studies, a few studies at a time."""
    ids = sorted(study_ids)
    return sum(
        _state_bytes(session, ids[begin : begin + COUNTED_AT_ONCE])
        for begin in range(0, len(ids), COUNTED_AT_ONCE)
    )


def _state_bytes(session: Session, studies: Any) -> int:
    starts = select(func.sum(TrialRow.start_bytes)).where(col(TrialRow.study_id).in_(studies))
    results = select(func.sum(UnitRow.result_bytes)).where(col(UnitRow.study_id).in_(studies))
    return sum(int(session.exec(query).one() or 0) for query in (starts, results))


def start_bytes(session: Session, study_id: str) -> int | None:
    """Give the bytes that the newest trial of a study added of start states; None: it has none."""
    query = (
        select(TrialRow.start_bytes)
        .where(TrialRow.study_id == study_id)
        .order_by(col(TrialRow.number).desc())
    )
    return session.exec(query.limit(1)).first()


def bytes_to_come(session: Session, study_id: str) -> int:
    """Estimate the bytes of results that a study's open units will bring."""
    query = select(func.sum(UnitRow.upload_bytes)).where(
        UnitRow.study_id == study_id,
        col(UnitRow.state).in_([UnitState.BLOCKED, UnitState.READY, UnitState.LEASED]),
    )
    return int(session.exec(query).one() or 0) // TIMES_ALLOWED


def _owned(column: Mapped[str], owner: str | None) -> ColumnElement[bool]:
    if owner is not None:
        return column == owner
    return or_(column == ANYONE, column.startswith(OWNER_PREFIX, autoescape=True))
