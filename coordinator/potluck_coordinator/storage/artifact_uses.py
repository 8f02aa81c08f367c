"""Which studies name an artifact, and whether only their owners may read it."""

from __future__ import annotations

from sqlalchemy import or_
from sqlmodel import Session, col, select

from potluck_coordinator.storage.tables import PartRow, ScoreRow, TrialRow, UnitRow


def of(session: Session, sha: str) -> set[tuple[str, bool]]:
    """Give (study, owner only) pairs. Training tensors and weights are public with their study.

    Predictions show rows that were held back, so they are the owner's. Held rows are in no pair.
    """
    found: set[tuple[str, bool]] = set()
    for study in session.exec(select(PartRow.study_id).where(PartRow.train == sha)):
        found.add((study, False))
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
