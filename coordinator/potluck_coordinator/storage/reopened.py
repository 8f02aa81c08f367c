"""Units of what runs again: opened by a few statements, however many they are."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, case, func, or_, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from potluck_coordinator.core.ranking import TrialState
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.storage import kept_states
from potluck_coordinator.storage.rows import changed
from potluck_coordinator.storage.tables import TrialRow, UnitRow


def open_again(
    session: Session,
    study_id: str,
    *,
    now: float,
    trial: int | None = None,
    states: Sequence[UnitState] = (UnitState.CANCELLED, UnitState.SET_ASIDE),
) -> int:
    """Open closed units again: ready where they have a start, else blocked. Give how many.

    Args:
        session: The transaction.
        study_id: Their study.
        now: Since when those that have a start are ready.
        trial: Only this trial's; by default those of trials that run, and refits.
        states: In which of these states they are.
    """
    mine = (
        or_(col(UnitRow.kind) == "refit", col(UnitRow.trial).in_(_running(study_id)))
        if trial is None
        else col(UnitRow.trial) == trial
    )
    closed = col(UnitRow.state).in_([state.value for state in states])
    kept_states.release_of_closed(session, study_id, and_(closed, mine), now=now)
    total = 0
    for ready in (True, False):
        begins = col(UnitRow.start).is_not(None) if ready else col(UnitRow.start).is_(None)
        total += changed(
            session,
            update(UnitRow)
            .where(col(UnitRow.study_id) == study_id, closed, mine, begins)
            .values(
                state=(UnitState.READY if ready else UnitState.BLOCKED).value,
                ready_since=now if ready else None,
                tries=0,
                lease_id=None,
                checkpoint=None,
                checkpoint_step=0,
                checkpoint_lease=None,
            ),
        )
    return total


def unsettled(session: Session, study_id: str) -> list[tuple[int, int]]:
    """Give running trials of which a rung's last score came and nothing followed, with that rung.

    So it is where a study stood still meanwhile: the next rung is still blocked, or there is none.

    Args:
        session: The transaction.
        study_id: Their study.
    """
    query = (
        select_columns(
            col(UnitRow.trial),
            col(UnitRow.rung),
            func.count(),
            func.sum(case((col(UnitRow.state) == UnitState.SCORED.value, 1), else_=0)),
            func.sum(case((col(UnitRow.state) == UnitState.BLOCKED.value, 1), else_=0)),
            func.sum(case((col(UnitRow.diverged).is_(True), 1), else_=0)),
        )
        .where(
            col(UnitRow.study_id) == study_id,
            col(UnitRow.kind) == "trial",
            col(UnitRow.trial).in_(_running(study_id)),
        )
        .group_by(col(UnitRow.trial), col(UnitRow.rung))
        .order_by(col(UnitRow.trial), col(UnitRow.rung).desc())
    )
    found: dict[int, int] = {}
    above = (-1, 0, 0)
    """The rung that was looked at before: of which trial, which, and how many are blocked there."""
    seen: set[int] = set()
    for trial, rung, whole, scored, blocked, diverged in session.execute(query):
        if scored and trial not in seen:
            seen.add(trial)
            follows = above[:2] != (trial, rung + 1) or above[2] > 0
            if diverged or (scored == whole and follows):
                found[trial] = rung
        above = (trial, rung, blocked)
    return list(found.items())


def _running(study_id: str) -> SelectOfScalar[int]:
    return select(TrialRow.number).where(
        TrialRow.study_id == study_id, TrialRow.state == TrialState.RUNNING.value
    )
