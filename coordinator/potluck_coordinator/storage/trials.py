"""Trials: the truth that the search is rebuilt from."""

from __future__ import annotations

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.ranking import TrialState
from potluck_coordinator.core.records import Trial
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import TrialRow


def add(session: Session, trial: Trial) -> None:
    """Keep a trial."""
    session.add(row(TrialRow, trial))
    session.flush()


def get(session: Session, study_id: str, number: int) -> Trial | None:
    """Give a trial, or None."""
    found = session.get(TrialRow, (study_id, number), populate_existing=True)
    return None if found is None else fact(Trial, found)


def of_study(session: Session, study_id: str) -> list[Trial]:
    """List a study's trials by number."""
    query = select(TrialRow).where(TrialRow.study_id == study_id).order_by(col(TrialRow.number))
    return [fact(Trial, found) for found in session.exec(query)]


def count(session: Session, study_id: str) -> tuple[int, int]:
    """Count a study's trials: those that run, and all."""
    query = (
        select(TrialRow.state, func.count())
        .where(TrialRow.study_id == study_id)
        .group_by(col(TrialRow.state))
    )
    found = dict(session.exec(query).all())
    return found.get(TrialState.RUNNING.value, 0), sum(found.values())


def finish(
    session: Session,
    study_id: str,
    number: int,
    *,
    state: str,
    value: float | None,
    reason: str,
    at: float,
) -> bool:
    """End a running trial; False where it had ended."""
    statement = (
        update(TrialRow)
        .where(
            col(TrialRow.study_id) == study_id,
            col(TrialRow.number) == number,
            col(TrialRow.state) == "running",
        )
        .values(state=state, value=value, reason=reason, finished_at=at)
    )
    return bool(changed(session, statement))


def reopen(session: Session, study_id: str, *states: str) -> list[int]:
    """Set trials that ended in these states to running again; give their numbers."""
    query = select(TrialRow.number).where(
        TrialRow.study_id == study_id, col(TrialRow.state).in_(states)
    )
    numbers = list(session.exec(query))
    changed(
        session,
        update(TrialRow)
        .where(col(TrialRow.study_id) == study_id, col(TrialRow.state).in_(states))
        .values(state="running", reason="", finished_at=None),
    )
    return numbers


def reopen_one(session: Session, study_id: str, number: int) -> bool:
    """Set an ended trial to running again; False where it runs."""
    statement = (
        update(TrialRow)
        .where(
            col(TrialRow.study_id) == study_id,
            col(TrialRow.number) == number,
            col(TrialRow.state) != "running",
        )
        .values(state="running", reason="", value=None, finished_at=None)
    )
    return bool(changed(session, statement))
