"""What views need of many units, trials and studies at once: columns, no whole rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Executable, and_, case, func, select
from sqlmodel import Session, col

from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.storage import leases, replays
from potluck_coordinator.storage.access_tables import GroupRow
from potluck_coordinator.storage.datasets import DELETED
from potluck_coordinator.storage.tables import (
    DatasetRow,
    DonorRow,
    LeaseRow,
    LookRow,
    ModelRow,
    ScoreRow,
    StudyRow,
    TrialRow,
    UnitRow,
)

LARGEST = 1.7e308
"""Values beyond are infinite, or NaN, and rank nothing."""


class UnitSummary(NamedTuple):
    """A unit and its score's value. `fold` -1: none.

    `scored`: it has a score, and did not diverge; without a value, its part defines no objective.
    """

    id: str
    trial: int
    fold: int
    repeat: int
    rung: int
    value: float | None
    scored: bool = False


class TrialSummary(NamedTuple):
    """A trial without what it was made of."""

    number: int
    state: str


class TrialLine(NamedTuple):
    """A trial as a leaderboard names it."""

    number: int
    state: str
    reason: str
    parameters: dict[str, Any]


class HeldUnit(NamedTuple):
    """A unit that is held now, and its donor."""

    donor_id: str
    name: str | None
    backend: str
    trial: int
    fold: int
    repeat: int
    rung: int
    epoch: int
    to_epoch: int
    samples_per_second: float | None


@dataclass(kw_only=True)
class Digest:
    """A study in numbers."""

    model_name: str = ""
    dataset_name: str = ""
    trials: dict[str, int] = field(default_factory=dict)
    """By state."""
    units: dict[str, int] = field(default_factory=dict)
    """By state."""
    refits: int = 0
    """Units that train the best trial on all rows, but for cancelled ones."""
    leader: tuple[int, float] | None = None
    """The completed trial with the best value, and that value."""
    looks: int = 0
    checks_open: int = 0
    """Replays for which the study waits."""
    seconds_per_unit: float | None = None
    """What a running study's units took on average, of those that were finished in time."""
    held: list[HeldUnit] = field(default_factory=list)
    group_gone: bool = False
    """Whether it is for a group that was deleted."""


def units_of(session: Session, study_id: str, trial: int | None = None) -> list[UnitSummary]:
    """List the units that rank a study's trials (or one), with what the coordinator scored."""
    query = (
        select(
            col(UnitRow.id),
            col(UnitRow.trial),
            col(UnitRow.fold),
            col(UnitRow.repeat),
            col(UnitRow.rung),
            col(ScoreRow.value),
            and_(col(ScoreRow.unit_id).is_not(None), col(UnitRow.diverged).is_(False)),
        )
        .outerjoin(ScoreRow, col(ScoreRow.unit_id) == col(UnitRow.id))
        .where(col(UnitRow.study_id) == study_id, col(UnitRow.kind) == "trial")
    )
    if trial is not None:
        query = query.where(col(UnitRow.trial) == trial)
    return [UnitSummary(*found) for found in session.execute(query)]


def trials_of(session: Session, study_id: str) -> list[TrialSummary]:
    """List a study's trials by number."""
    query = (
        select(col(TrialRow.number), col(TrialRow.state))
        .where(col(TrialRow.study_id) == study_id)
        .order_by(col(TrialRow.number))
    )
    return [TrialSummary(*found) for found in session.execute(query)]


def lines_of(session: Session, study_id: str) -> list[TrialLine]:
    """List a study's trials by number, with their parameters."""
    query = (
        select(
            col(TrialRow.number),
            col(TrialRow.state),
            col(TrialRow.reason),
            col(TrialRow.parameters),
        )
        .where(col(TrialRow.study_id) == study_id)
        .order_by(col(TrialRow.number))
    )
    return [TrialLine(*found) for found in session.execute(query)]


def busy(session: Session, study_id: str) -> dict[int, set[str]]:
    """Say which trials have units with a donor or at the scorer: trial -> these units' states."""
    query = (
        select(col(UnitRow.trial), col(UnitRow.state))
        .where(
            col(UnitRow.study_id) == study_id,
            col(UnitRow.kind) == "trial",
            col(UnitRow.state).in_((UnitState.LEASED.value, UnitState.RETURNED.value)),
        )
        .distinct()
    )
    found: dict[int, set[str]] = {}
    for trial, state in session.execute(query):
        found.setdefault(trial, set()).add(state)
    return found


def digests(session: Session, study_ids: Collection[str]) -> dict[str, Digest]:
    """Give studies in numbers, with as many queries for all as for one."""
    found = {study_id: Digest() for study_id in study_ids}
    ids = list(found)
    gone = col(DatasetRow.deleted_at).is_not(None)
    dataset_name = case((gone, DELETED), else_=col(DatasetRow.name))
    named = (
        select(col(StudyRow.id), col(ModelRow.name), dataset_name)
        .join(ModelRow, col(ModelRow.id) == col(StudyRow.model_id))
        .join(DatasetRow, col(DatasetRow.id) == col(StudyRow.dataset_id))
        .where(col(StudyRow.id).in_(ids))
    )
    for study_id, model, dataset in session.execute(named):
        found[study_id].model_name, found[study_id].dataset_name = model, dataset
    for study_id, state, number in session.execute(_by_state(TrialRow, ids)):
        found[study_id].trials[state] = number
    for study_id, state, number in session.execute(_by_state(UnitRow, ids)):
        found[study_id].units[state] = number
    refits = (
        select(col(UnitRow.study_id), func.count())
        .where(
            col(UnitRow.study_id).in_(ids),
            col(UnitRow.kind) == "refit",
            col(UnitRow.state) != "cancelled",
        )
        .group_by(col(UnitRow.study_id))
    )
    for study_id, number in session.execute(refits):
        found[study_id].refits = number
    for study_id, trial, value in session.execute(_leaders(ids)):
        found[study_id].leader = (trial, value)
    looks = (
        select(col(LookRow.study_id), func.count())
        .where(col(LookRow.study_id).in_(ids))
        .group_by(col(LookRow.study_id))
    )
    for study_id, number in session.execute(looks):
        found[study_id].looks = number
    for study_id, number in replays.open_before_end(session, ids).items():
        found[study_id].checks_open = number
    for study_id, seconds in session.execute(_seconds(ids)):
        found[study_id].seconds_per_unit = float(seconds)
    for (study_id,) in session.execute(_without_their_group(ids)):
        found[study_id].group_gone = True
    for study_id, *held in session.execute(_held(ids)):
        found[study_id].held.append(HeldUnit(*held))
    return found


def _by_state(table: type[TrialRow] | type[UnitRow], ids: list[str]) -> Executable:
    return (
        select(col(table.study_id), col(table.state), func.count())
        .where(col(table.study_id).in_(ids))
        .group_by(col(table.study_id), col(table.state))
    )


def _leaders(ids: list[str]) -> Executable:
    value = col(TrialRow.value)
    better_first = case((col(StudyRow.direction) == "maximize", -value), else_=value)
    place = func.row_number().over(
        partition_by=col(TrialRow.study_id), order_by=(better_first, col(TrialRow.number))
    )
    ranked = (
        select(col(TrialRow.study_id), col(TrialRow.number), value, place.label("place"))
        .join(StudyRow, col(StudyRow.id) == col(TrialRow.study_id))
        .where(
            col(TrialRow.study_id).in_(ids),
            col(TrialRow.state) == "completed",
            value.between(-LARGEST, LARGEST),
        )
        .subquery()
    )
    return select(ranked.c.study_id, ranked.c.number, ranked.c.value).where(ranked.c.place == 1)


def _seconds(ids: list[str]) -> Executable:
    return (
        select(col(LeaseRow.study_id), leases.mean_seconds())
        .join(StudyRow, col(StudyRow.id) == col(LeaseRow.study_id))
        .where(
            col(LeaseRow.study_id).in_(ids),
            leases.done_in_time(),
            col(StudyRow.state) == "running",
        )
        .group_by(col(LeaseRow.study_id))
    )


def _without_their_group(ids: list[str]) -> Executable:
    theirs = select(col(GroupRow.id)).where(col(GroupRow.id) == col(StudyRow.group_id))
    return select(col(StudyRow.id)).where(
        col(StudyRow.id).in_(ids), col(StudyRow.donors) == "group", ~theirs.exists()
    )


def _held(ids: list[str]) -> Executable:
    return (
        select(
            col(LeaseRow.study_id),
            col(LeaseRow.donor_id),
            col(DonorRow.name),
            col(LeaseRow.backend),
            col(UnitRow.trial),
            col(UnitRow.fold),
            col(UnitRow.repeat),
            col(UnitRow.rung),
            col(LeaseRow.epoch),
            col(UnitRow.to_epoch),
            col(LeaseRow.samples_per_second),
        )
        .join(UnitRow, col(UnitRow.id) == col(LeaseRow.unit_id))
        .join(StudyRow, col(StudyRow.id) == col(LeaseRow.study_id))
        .outerjoin(DonorRow, col(DonorRow.id) == col(LeaseRow.donor_id))
        .where(
            col(LeaseRow.study_id).in_(ids),
            col(LeaseRow.state) == LeaseState.HELD.value,
            col(StudyRow.state) == "running",
        )
        .order_by(col(LeaseRow.started_at), col(UnitRow.trial), col(UnitRow.fold), col(UnitRow.id))
    )
