"""Which studies name an artifact, and whether only their owners may read it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_, true
from sqlmodel import Session, SQLModel, col, select

from potluck_coordinator.storage.rendered_tables import RenderedRow
from potluck_coordinator.storage.tables import (
    DatasetRow,
    LeaseRow,
    ModelRow,
    PartRow,
    ScoreRow,
    TrialRow,
    UnitRow,
    UploadRow,
)
from potluck_coordinator.storage.trust_tables import ReplayRow

ASKED_AT_ONCE = 500
MANY = 2_000
"""Of more artifacts than these it is quicker to read every name once."""
SOME_AT_ONCE = {"yield_per": 1000}


def of(session: Session, sha: str) -> set[tuple[str, bool]]:
    """Give (study, owner only) pairs. Topologies and weights are public with their study.

    Tensors and predictions are the owner's: the training rows of one fold are held rows of
    another, and a donor could ask for them here. Held rows are in no pair, nor are models' files:
    they are downloaded by their model or study, as long as it is there.
    """
    found: set[tuple[str, bool]] = set()
    for study in session.exec(select(PartRow.study_id).where(PartRow.train == sha)):
        found.add((study, True))
    in_trial = or_(
        col(TrialRow.graph) == sha,
        col(TrialRow.topology) == sha,
        col(TrialRow.refit_start) == sha,
    )
    for study in session.exec(select(TrialRow.study_id).where(in_trial)):
        found.add((study, False))
    in_unit = or_(
        col(UnitRow.start) == sha,
        col(UnitRow.result) == sha,
    )
    for study in session.exec(select(UnitRow.study_id).where(in_unit)):
        found.add((study, False))
    for study in session.exec(select(ScoreRow.study_id).where(ScoreRow.predictions == sha)):
        found.add((study, True))
    return found


NAMES: tuple[tuple[type[SQLModel], tuple[str, ...]], ...] = (
    (DatasetRow, ("hash",)),
    (ModelRow, ("graph", "weights")),
    (PartRow, ("train", "held")),
    (TrialRow, ("graph", "topology", "refit_start")),
    (UnitRow, ("start", "checkpoint", "result", "topology")),
    (ScoreRow, ("predictions",)),
    (UploadRow, ("artifact",)),
    (LeaseRow, ("start", "result")),
    (ReplayRow, ("start", "end")),
    (RenderedRow, ("artifact",)),
)
"""Every column that names an artifact. A unit's tensors are those of its part.

A model's file names itself alone: what it was written from does not stay for it.
"""

OF_A_STUDY = tuple((table, columns) for table, columns in NAMES if hasattr(table, "study_id"))
"""The columns of the tables whose rows are a study's."""

MADE_AGAIN = frozenset({str(RenderedRow.__tablename__)})
"""Tables whose rows a backup leaves out, and what they name: all of it can be made again."""


WHILE: dict[type[SQLModel], ColumnElement[bool]] = {
    DatasetRow: col(DatasetRow.deleted_at).is_(None),
    PartRow: col(PartRow.kept).is_(True),
    LeaseRow: col(LeaseRow.released_at).is_(None),
    ReplayRow: col(ReplayRow.released_at).is_(None),
}
"""When a row keeps what it names; a row of another table always does."""

COLUMNS = {str(table.__tablename__): columns for table, columns in NAMES}
"""By table, every column that names bytes which a backup keeps where they are still there."""


def keeps(table: str, values: Mapping[str, Any]) -> bool:
    """Say whether a row, given as its table's name and its values, keeps what it names."""
    if table == DatasetRow.__tablename__:
        return values["deleted_at"] is None
    if table in (LeaseRow.__tablename__, ReplayRow.__tablename__):
        return values.get("released_at") is None
    return table != PartRow.__tablename__ or bool(values.get("kept", True))


def named(session: Session, artifacts: Collection[str]) -> set[str]:
    """Give those of these artifacts that any fact still names: all others may be deleted."""
    if len(artifacts) > MANY:
        candidates = set(artifacts)
        return {name for name in all_names(session) if name in candidates}
    found: set[str] = set()
    wanted = sorted(artifacts)
    for begin in range(0, len(wanted), ASKED_AT_ONCE):
        some = wanted[begin : begin + ASKED_AT_ONCE]
        for table, columns in NAMES:
            for column in columns:
                name = getattr(table, column)
                query = select(name).where(name.in_(some), WHILE.get(table, true()))
                found.update(session.exec(query.distinct()))
    return found


def all_names(session: Session) -> Iterator[str]:
    """Give every name that a fact has for an artifact, some of them more than once."""
    for table, columns in NAMES:
        for column in columns:
            name = getattr(table, column)
            # Distinct where it costs least: many units share a topology.
            query = select(name).where(name.is_not(None), WHILE.get(table, true())).distinct()
            found = session.connection().execute(query, execution_options=SOME_AT_ONCE)
            for some in found.partitions():
                yield from (row[0] for row in some)


def of_study(session: Session, study_id: str) -> set[str]:
    """Give everything that a study's facts name."""
    found: set[str | None] = set()
    for table, columns in OF_A_STUDY:
        for column in columns:
            query = select(getattr(table, column)).where(col(table.study_id) == study_id)
            found.update(session.exec(query.distinct()))
    uploads = select(UploadRow.artifact).join(LeaseRow, col(LeaseRow.id) == col(UploadRow.lease_id))
    found.update(session.exec(uploads.where(LeaseRow.study_id == study_id)).all())
    return {sha for sha in found if sha is not None}
