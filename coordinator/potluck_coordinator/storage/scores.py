"""Scores, which rank, and claims, which never do."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, delete, func, or_, tuple_
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
    epoch: int,
    loss: float,
    *,
    among: tuple[int, int] | None = None,
) -> None:
    """Keep a claimed loss; the newest word of an epoch stands.

    Args:
        session: The transaction.
        place: Study, trial, fold and repeat.
        epoch: Which epoch it is of.
        loss: What is claimed.
        among: The first and the last of the epochs of which one claim is kept, this one now; None:
            of every epoch.
    """
    study_id, trial, fold, repeat = place
    first, last = (epoch, epoch) if among is None else among
    query = select(ClaimRow).where(
        ClaimRow.study_id == study_id,
        ClaimRow.trial == trial,
        ClaimRow.fold == fold,
        ClaimRow.repeat == repeat,
        col(ClaimRow.epoch).between(first, last),
    )
    there = {found.epoch: found for found in session.exec(query)}
    kept = there.pop(epoch, None) or ClaimRow(
        study_id=study_id, trial=trial, fold=fold, repeat=repeat, epoch=epoch, loss=loss
    )
    kept.loss = loss
    session.add(kept)
    for other in there.values():
        session.delete(other)
    session.flush()


def mean_claims(
    session: Session, study_id: str, apart: int = 1
) -> dict[int, list[tuple[int, float]]]:
    """Give each trial's claimed loss by epoch, averaged over its networks.

    Args:
        session: The transaction.
        study_id: The study.
        apart: Of so many epochs in a row the last one with a claim is given; a trial's first and
            last claims always are.
    """
    query = (
        select(ClaimRow.trial, ClaimRow.epoch, func.avg(ClaimRow.loss))
        .where(ClaimRow.study_id == study_id)
        .group_by(col(ClaimRow.trial), col(ClaimRow.epoch))
        .order_by(col(ClaimRow.trial), col(ClaimRow.epoch))
    )
    if apart > 1:
        query = query.where(_shown(study_id, apart))
    curves: dict[int, list[tuple[int, float]]] = {}
    for trial, epoch, loss in session.exec(query):
        curves.setdefault(trial, []).append((epoch, float(loss)))
    return curves


def _shown(study_id: str, apart: int) -> ColumnElement[bool]:
    trial, epoch = col(ClaimRow.trial), col(ClaimRow.epoch)
    mine = col(ClaimRow.study_id) == study_id
    lasts = select(trial, func.max(epoch)).where(mine).group_by(trial, (epoch - 1) // apart)
    firsts = select(trial, func.min(epoch)).where(mine).group_by(trial)
    place = tuple_(trial, epoch)
    return or_(place.in_(lasts), place.in_(firsts))
