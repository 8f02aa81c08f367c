"""Units: every change is a conditional update; 0 rows = the race was lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import func, insert, update
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.groups import NO_REACH, Reach
from potluck_coordinator.core.records import Unit
from potluck_coordinator.core.units import (
    UnitEvent,
    UnitState,
    after,
    states_before,
)
from potluck_coordinator.storage.reach import within
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import LeaseRow, StudyRow, UnitRow


def add(session: Session, units: Iterable[Unit]) -> None:
    """Keep units."""
    session.execute(insert(UnitRow), [row(UnitRow, unit).model_dump() for unit in units])


def get(session: Session, unit_id: str) -> Unit:
    """Give a unit. Raises NotFound `unit.not_found`."""
    query = select(UnitRow).where(UnitRow.id == unit_id)
    found = session.exec(query.execution_options(populate_existing=True)).first()
    if found is None:
        raise NotFound("unit.not_found", "There is no such unit.", got=unit_id)
    return fact(Unit, found)


def of_study(session: Session, study_id: str) -> list[Unit]:
    """List a study's units in the order they are trained."""
    return _list(session, UnitRow.study_id == study_id)


def of_trial(session: Session, study_id: str, trial: int) -> list[Unit]:
    """List a trial's units, the refit unit last."""
    return _list(session, UnitRow.study_id == study_id, UnitRow.trial == trial)


def of_trials(
    session: Session, study_id: str, trials: Collection[int], state: UnitState
) -> list[Unit]:
    """List the units of some trials that are in a state, the trials in the order of their numbers.

    Args:
        session: A transaction.
        study_id: Their study.
        trials: A bounded number of trials.
        state: The state.
    """
    return _list(
        session,
        UnitRow.study_id == study_id,
        col(UnitRow.trial).in_(trials),
        UnitRow.state == state.value,
    )


def refit_of(session: Session, study_id: str, trial: int) -> Unit | None:
    """Give the unit that trains a trial on all rows, or None.

    Args:
        session: A transaction.
        study_id: The study.
        trial: The trial.
    """
    mine = (UnitRow.study_id == study_id, UnitRow.trial == trial, UnitRow.kind == "refit")
    return next(iter(_list(session, *mine)), None)


def of_network(session: Session, unit: Unit) -> list[Unit]:
    """List the units that train the same network as a unit, itself among them, rung after rung."""
    return _list(
        session,
        UnitRow.study_id == unit.study_id,
        UnitRow.trial == unit.trial,
        UnitRow.kind == unit.kind,
        UnitRow.fold == unit.fold,
        UnitRow.repeat == unit.repeat,
    )


def returned(session: Session) -> list[tuple[str, str]]:
    """List the ids of all returned units, with their studies' owners, in the order of trials."""
    query = (
        select(UnitRow.id, StudyRow.owner)
        .join(StudyRow, col(StudyRow.id) == col(UnitRow.study_id))
        .where(UnitRow.state == UnitState.RETURNED.value)
        .order_by(col(UnitRow.trial), col(UnitRow.rung), col(UnitRow.fold), col(UnitRow.repeat))
    )
    return list(session.exec(query).all())


def _list(session: Session, *conditions: Any) -> list[Unit]:
    query = (
        select(UnitRow)
        .where(*conditions)
        .order_by(
            col(UnitRow.trial),
            col(UnitRow.kind).desc(),
            col(UnitRow.rung),
            col(UnitRow.fold),
            col(UnitRow.repeat),
        )
    )
    found = session.exec(query.execution_options(populate_existing=True))
    return [fact(Unit, unit) for unit in found]


def open_parts(session: Session, study_id: str) -> set[int]:
    """Give the parts of a study's units that are ready, leased or returned."""
    states = (UnitState.READY.value, UnitState.LEASED.value, UnitState.RETURNED.value)
    query = select(UnitRow.part).where(UnitRow.study_id == study_id, col(UnitRow.state).in_(states))
    return set(session.exec(query.distinct()))


def starts_among(session: Session, study_id: str, artifacts: Collection[str]) -> set[str]:
    """Give those of these artifacts from which units of a study start already."""
    query = select(UnitRow.start).where(
        UnitRow.study_id == study_id, col(UnitRow.start).in_(artifacts)
    )
    return {sha for sha in session.exec(query.distinct()) if sha is not None}


def counts(session: Session, study_id: str) -> dict[str, int]:
    """Count a study's units by state."""
    query = (
        select(UnitRow.state, func.count())
        .where(UnitRow.study_id == study_id)
        .group_by(col(UnitRow.state))
    )
    return dict(session.exec(query).all())


def change(session: Session, unit_id: str, event: UnitEvent, **values: Any) -> bool:
    """Apply an event if the unit is in a state that allows it; False: the race was lost.

    `expect_lease=ID` also asks that this lease holds the unit.
    """
    expected_lease = values.pop("expect_lease", None)
    for state in states_before(event):
        target = after(state, event)
        assert target is not None
        statement = (
            update(UnitRow)
            .where(col(UnitRow.id) == unit_id, col(UnitRow.state) == state.value)
            .values(state=target.value, **values)
        )
        if expected_lease is not None:
            statement = statement.where(col(UnitRow.lease_id) == expected_lease)
        if changed(session, statement):
            return True
    return False


def change_many(
    session: Session,
    study_id: str,
    event: UnitEvent,
    *,
    trial: int | None = None,
    only: Sequence[UnitState] = tuple(UnitState),
    **values: Any,
) -> int:
    """Apply an event to all of a study's (or trial's) units that allow it; give how many."""
    total = 0
    for state in set(states_before(event)) & set(only):
        target = after(state, event)
        assert target is not None
        statement = (
            update(UnitRow)
            .where(col(UnitRow.study_id) == study_id, col(UnitRow.state) == state.value)
            .values(state=target.value, **values)
        )
        if trial is not None:
            statement = statement.where(col(UnitRow.trial) == trial)
        total += changed(session, statement)
    return total


def note(session: Session, unit_id: str, *, tries: int, reasons: Sequence[str]) -> None:
    """Count tries anew, and keep why."""
    changed(
        session,
        update(UnitRow)
        .where(col(UnitRow.id) == unit_id)
        .values(tries=tries, reasons=list(reasons)),
    )


def forget_checkpoint(session: Session, unit_id: str) -> None:
    """Let a unit that nobody finished be trained from its start again.

    Args:
        session: The transaction.
        unit_id: The unit.
    """
    changed(
        session,
        update(UnitRow)
        .where(
            col(UnitRow.id) == unit_id,
            col(UnitRow.state).in_([UnitState.READY.value, UnitState.LEASED.value]),
        )
        .values(checkpoint=None, checkpoint_step=0, checkpoint_lease=None),
    )


def go_back(
    session: Session, unit_id: str, lease_id: str, start: str, step: int, start_lease: str | None
) -> bool:
    """Let a unit that nobody finished go on from where a lease of it began; False where it is not.

    Args:
        session: The transaction.
        unit_id: The unit.
        lease_id: The lease, whose state the unit goes on from until now.
        start: The state that the lease began with.
        step: The step of that state.
        start_lease: The lease that came to it; None: it is the unit's own start.
    """
    back = start_lease is not None
    statement = (
        update(UnitRow)
        .where(
            col(UnitRow.id) == unit_id,
            col(UnitRow.checkpoint_lease) == lease_id,
            col(UnitRow.state).in_([UnitState.READY.value, UnitState.LEASED.value]),
        )
        .values(
            checkpoint=start if back else None,
            checkpoint_step=step if back else 0,
            checkpoint_lease=start_lease,
        )
    )
    return bool(changed(session, statement))


def note_checkpoint(
    session: Session, unit_id: str, lease_id: str, artifact: str, step: int, *, older: bool = False
) -> bool:
    """Name a newer state to go on from, of a lease that is held; False where it is not wanted.

    `older`: also one of an earlier step than the state that is named now.
    """
    statement = (
        update(UnitRow)
        .where(
            col(UnitRow.id) == unit_id,
            col(UnitRow.state).in_([UnitState.READY.value, UnitState.LEASED.value]),
        )
        .values(checkpoint=artifact, checkpoint_step=step, checkpoint_lease=lease_id)
    )
    if not older:
        statement = statement.where(col(UnitRow.checkpoint_step) <= step)
    return bool(changed(session, statement))


def largest_ready(session: Session, study_id: str) -> int:
    """Give the most memory that any of a study's ready units takes; 0 where none is ready."""
    query = select(func.max(UnitRow.memory_bytes)).where(
        UnitRow.study_id == study_id, UnitRow.state == UnitState.READY.value
    )
    return session.exec(query).one() or 0


def leased_by_owner(session: Session) -> dict[str, int]:
    """Count leased units by submitter."""
    query = (
        select(StudyRow.owner, func.count())
        .join(UnitRow, col(StudyRow.id) == col(UnitRow.study_id))
        .where(UnitRow.state == UnitState.LEASED.value)
        .group_by(col(StudyRow.owner))
    )
    return dict(session.exec(query).all())


def any_returned(session: Session, reach: Reach = NO_REACH) -> bool:
    """Say whether a unit that came back, of a running study within reach, is not scored yet."""
    query = (
        select(UnitRow.id)
        .join(StudyRow, col(StudyRow.id) == col(UnitRow.study_id))
        .where(
            UnitRow.state == UnitState.RETURNED.value, StudyRow.state == "running", within(reach)
        )
    )
    return session.exec(query.limit(1)).first() is not None


def tried_by(session: Session, donor_id: str, unit_ids: Sequence[str]) -> set[str]:
    """Give those of these units that this donor gave up on, or whose result did not count."""
    query = select(LeaseRow.unit_id).where(
        LeaseRow.donor_id == donor_id,
        col(LeaseRow.unit_id).in_(unit_ids),
        col(LeaseRow.state).in_(["completed", "expired", "handed_back", "refused"]),
    )
    return set(session.exec(query))
