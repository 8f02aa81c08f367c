"""Trials: the truth that the search is rebuilt from."""

from __future__ import annotations

import sys

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.ranking import TrialState
from potluck_coordinator.core.records import Trial
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import TrialRow

LARGEST = sys.float_info.max
"""Values beyond are infinite, or NaN, and rank nothing."""


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


def any_running(session: Session, study_id: str) -> bool:
    """Say whether a trial of a study runs.

    Args:
        session: A transaction.
        study_id: The study.
    """
    query = select(TrialRow.number).where(
        TrialRow.study_id == study_id, TrialRow.state == TrialState.RUNNING.value
    )
    return session.exec(query.limit(1)).first() is not None


def reasons(session: Session, study_id: str) -> list[str]:
    """List why a study's trials ended, by number; empty for those that have no reason.

    Args:
        session: A transaction.
        study_id: The study.
    """
    query = select(TrialRow.reason).where(TrialRow.study_id == study_id)
    return list(session.exec(query.order_by(col(TrialRow.number))))


def best(session: Session, study_id: str, *, maximize: bool, most: int) -> list[int]:
    """Give the completed trials with the best values, the best first.

    Values that are infinite are left out. Only as many trials are read as are given, beside those
    with the same value.

    Args:
        session: A transaction.
        study_id: The study.
        maximize: Whether a larger value is better.
        most: How many trials at most.
    """
    value = col(TrialRow.value)
    query = (
        select(TrialRow.number)
        .where(
            TrialRow.study_id == study_id,
            TrialRow.state == TrialState.COMPLETED.value,
            value.between(-LARGEST, LARGEST),
        )
        .order_by(value.desc() if maximize else value, col(TrialRow.number))
        .limit(most)
    )
    return list(session.exec(query))


def any_without_value(session: Session, study_id: str) -> bool:
    """Say whether a trial was completed, or stopped early, and has no value of its own.

    Args:
        session: A transaction.
        study_id: The study.
    """
    states = (TrialState.COMPLETED.value, TrialState.STOPPED.value)
    query = select(TrialRow.number).where(
        TrialRow.study_id == study_id,
        col(TrialRow.state).in_(states),
        col(TrialRow.value).is_(None),
    )
    return session.exec(query.limit(1)).first() is not None


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
