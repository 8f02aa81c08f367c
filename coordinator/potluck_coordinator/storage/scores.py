"""Scores, which rank, and claims, which never do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from potluck_coordinator.core.records import Score
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import ClaimRow, ScoreRow


def add(session: Session, score: Score) -> bool:
    """Keep a unit's score; False where it has one."""
    if session.get(ScoreRow, score.unit_id) is not None:
        return False
    session.add(row(ScoreRow, score))
    session.flush()
    return True


def of_study(session: Session, study_id: str) -> dict[str, Score]:
    """Give a study's scores by unit."""
    query = select(ScoreRow).where(ScoreRow.study_id == study_id)
    return {found.unit_id: fact(Score, found) for found in session.exec(query)}


def get(session: Session, unit_id: str) -> Score | None:
    """Give a unit's score, or None."""
    found = session.get(ScoreRow, unit_id)
    return None if found is None else fact(Score, found)


def remove(session: Session, unit_ids: Iterable[str]) -> None:
    """Take the scores of units away."""
    changed(session, delete(ScoreRow).where(col(ScoreRow.unit_id).in_(list(unit_ids))))
    session.expire_all()


def count(session: Session) -> int:
    """Count all scores."""
    return session.exec(select(func.count()).select_from(ScoreRow)).one()


def claim(
    session: Session,
    place: tuple[str, int, int, int],
    losses: Mapping[int, float],
) -> None:
    """Keep claimed losses by epoch for (study, trial, fold, repeat); the newest word stands."""
    study_id, trial, fold, repeat = place
    for epoch, loss in losses.items():
        found = session.get(ClaimRow, (study_id, trial, fold, repeat, epoch))
        if found is None:
            session.add(
                ClaimRow(
                    study_id=study_id,
                    trial=trial,
                    fold=fold,
                    repeat=repeat,
                    epoch=epoch,
                    loss=loss,
                )
            )
        else:
            found.loss = loss
            session.add(found)
    session.flush()


def mean_claims(session: Session, study_id: str) -> dict[int, list[tuple[int, float]]]:
    """Give each trial's claimed loss by epoch, averaged over its networks."""
    query = (
        select(ClaimRow.trial, ClaimRow.epoch, func.avg(ClaimRow.loss))
        .where(ClaimRow.study_id == study_id)
        .group_by(col(ClaimRow.trial), col(ClaimRow.epoch))
        .order_by(col(ClaimRow.trial), col(ClaimRow.epoch))
    )
    curves: dict[int, list[tuple[int, float]]] = {}
    for trial, epoch, loss in session.exec(query):
        curves.setdefault(trial, []).append((epoch, float(loss)))
    return curves
