"""Which studies name an artifact, and whether only their owners may read it."""

from __future__ import annotations

from sqlalchemy import literal, or_
from sqlmodel import Session, SQLModel, col, select

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


def of(session: Session, sha: str) -> set[tuple[str, bool]]:
    """Give (study, owner only) pairs. Topologies and weights are public with their study.

    Tensors and predictions are the owner's: the training rows of one fold are held rows of
    another, and a donor could ask for them here. Held rows are in no pair.
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
    (ModelRow, ("graph", "weights")),
    (PartRow, ("train", "held")),
    (TrialRow, ("graph", "topology", "refit_start")),
    (UnitRow, ("start", "checkpoint", "result", "topology", "tensors")),
    (ScoreRow, ("predictions",)),
    (UploadRow, ("artifact",)),
)
"""Every column that names an artifact, but for datasets, whose bytes go when they are deleted."""

COLUMNS: dict[str, tuple[str, ...]] = {
    **{str(table.__tablename__): columns for table, columns in NAMES},
    "dataset": ("hash",),
    "lease": ("start", "result"),
    "replay": ("start", "end"),
}
"""By table, every column that names bytes which a backup keeps where they are still there."""


def is_named(session: Session, sha: str) -> bool:
    """Say whether any fact still names these bytes: those that none names may be deleted."""
    kept = select(DatasetRow.id).where(DatasetRow.hash == sha, col(DatasetRow.deleted_at).is_(None))
    if session.exec(kept.limit(1)).first() is not None:
        return True
    for table, columns in NAMES:
        query = select(literal(1)).select_from(table)
        anywhere = or_(*(getattr(table, column) == sha for column in columns))
        if session.exec(query.where(anywhere).limit(1)).first() is not None:
            return True
    return False


def of_study(session: Session, study_id: str) -> set[str]:
    """Give everything that a study's facts name."""
    found: set[str | None] = set()
    for part in session.exec(select(PartRow).where(PartRow.study_id == study_id)):
        found |= {part.train, part.held}
    for trial in session.exec(select(TrialRow).where(TrialRow.study_id == study_id)):
        found |= {trial.graph, trial.topology, trial.refit_start}
    for unit in session.exec(select(UnitRow).where(UnitRow.study_id == study_id)):
        found |= {unit.start, unit.checkpoint, unit.result}
    for score in session.exec(select(ScoreRow).where(ScoreRow.study_id == study_id)):
        found.add(score.predictions)
    uploads = select(UploadRow.artifact).join(LeaseRow, col(LeaseRow.id) == col(UploadRow.lease_id))
    found.update(session.exec(uploads.where(LeaseRow.study_id == study_id)).all())
    return {sha for sha in found if sha is not None}
