"""Replays: one row for each lease's work that is, or was, trained again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import and_, case, desc, func, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.records import Replay
from potluck_coordinator.core.trust import PRIORITY, ReplayState, Why
from potluck_coordinator.storage.rows import changed, fact, row
from potluck_coordinator.storage.tables import LeaseRow, StudyRow, UnitRow
from potluck_coordinator.storage.trust_tables import ReplayRow

OPEN = ReplayState.OPEN.value
OF_A_PART = (Why.STUCK.value, Why.CHALLENGE.value)
"""Replays for these reasons say nothing of a lease's work as a whole."""


def add(session: Session, replay: Replay) -> None:
    """Keep a new replay."""
    session.add(row(ReplayRow, replay))
    session.flush()


def get(session: Session, replay_id: str) -> Replay:
    """Give a replay. Raises NotFound `replay.not_found`."""
    found = session.get(ReplayRow, replay_id, populate_existing=True)
    if found is None:
        raise NotFound("replay.not_found", "There is no such replay.", got=replay_id)
    return fact(Replay, found)


def decide(session: Session, replay_id: str, state: ReplayState, **values: Any) -> bool:
    """End an open replay; False where it had ended."""
    statement = (
        update(ReplayRow)
        .where(col(ReplayRow.id) == replay_id, col(ReplayRow.state) == OPEN)
        .values(state=state.value, **values)
    )
    return bool(changed(session, statement))


def is_open(session: Session, replay_id: str) -> bool:
    """Say whether a replay is still to be done; False also where its study was deleted."""
    query = select(ReplayRow.id).where(ReplayRow.id == replay_id, ReplayRow.state == OPEN)
    return session.exec(query).first() is not None


def undo(session: Session, replay_id: str, note: str) -> bool:
    """Take a refutation back; False where the replay says nothing of the kind."""
    statement = (
        update(ReplayRow)
        .where(col(ReplayRow.id) == replay_id, col(ReplayRow.state) == ReplayState.REFUTED.value)
        .values(state=ReplayState.UNDONE.value, note=note)
    )
    return bool(changed(session, statement))


def raise_priority(session: Session, replay_ids: Collection[str], why: Why) -> None:
    """Let open replays be done earlier: a study waits for them now."""
    lower = [other.value for other in Why if PRIORITY[other] > PRIORITY[why]]
    changed(
        session,
        update(ReplayRow)
        .where(
            col(ReplayRow.id).in_(replay_ids),
            col(ReplayRow.state) == OPEN,
            col(ReplayRow.why).in_(lower),
        )
        .values(why=why.value),
    )


def drop(session: Session, *, unit_ids: Iterable[str], note: str, now: float) -> None:
    """End the open replays of units whose results are gone."""
    changed(
        session,
        update(ReplayRow)
        .where(
            col(ReplayRow.unit_id).in_(list(unit_ids)),
            col(ReplayRow.state).in_([OPEN, ReplayState.ASKED.value]),
        )
        .values(state=ReplayState.DROPPED.value, note=note, decided_at=now, released_at=now),
    )


def challenge_of(session: Session, lease_id: str) -> Replay | None:
    """Give the challenge that a lease's donor got, or None."""
    query = select(ReplayRow).where(
        ReplayRow.lease_id == lease_id, ReplayRow.why == Why.CHALLENGE.value
    )
    found = session.exec(query).first()
    return None if found is None else fact(Replay, found)


def asked_before(session: Session, moment: float) -> list[Replay]:
    """List the challenges, asked before this moment, whose states have not come."""
    query = select(ReplayRow).where(
        ReplayRow.state == ReplayState.ASKED.value, col(ReplayRow.asked_at) < moment
    )
    return [fact(Replay, found) for found in session.exec(query)]


def move_challenge(session: Session, replay_id: str, state: ReplayState, **values: Any) -> bool:
    """Let a challenge that was asked go on to another state; False where it has already."""
    statement = (
        update(ReplayRow)
        .where(col(ReplayRow.id) == replay_id, col(ReplayRow.state) == ReplayState.ASKED.value)
        .values(state=state.value, **values)
    )
    return bool(changed(session, statement))


def drop_challenge(session: Session, lease_id: str, *, now: float) -> bool:
    """End a lease's challenge that nothing came of yet; False where there is none."""
    pending = [OPEN, ReplayState.ASKED.value, ReplayState.UNANSWERED.value]
    statement = (
        update(ReplayRow)
        .where(
            col(ReplayRow.lease_id) == lease_id,
            col(ReplayRow.why) == Why.CHALLENGE.value,
            col(ReplayRow.state).in_(pending),
        )
        .values(
            state=ReplayState.DROPPED.value,
            note="all of it was trained again",
            decided_at=now,
            released_at=now,
        )
    )
    return bool(changed(session, statement))


def ask_anew(session: Session, now: float) -> None:
    """Give challenged donors their full time again: nobody was there to take the states."""
    changed(
        session,
        update(ReplayRow)
        .where(col(ReplayRow.state) == ReplayState.ASKED.value)
        .values(asked_at=now),
    )


def next_open(
    session: Session, served: Mapping[str, float] | None = None
) -> tuple[Replay, str] | None:
    """Give the open replay that is due first and its study's owner, or None.

    Owners take turns, and whoever comes anew comes last: it goes by when an owner was served, or
    began to wait where that was later. Of one owner's replays the most urgent goes first.

    Args:
        session: The transaction.
        served: When owners were served last, in seconds since 1970.
    """
    began = (
        select(StudyRow.owner, func.min(ReplayRow.asked_at))
        .join(ReplayRow, col(StudyRow.id) == col(ReplayRow.study_id))
        .where(ReplayRow.state == OPEN)
        .group_by(col(StudyRow.owner))
    )
    known = served or {}
    turns = [(max(known.get(owner, at), at), owner) for owner, at in session.exec(began)]
    if not turns:
        return None
    _, owner = min(turns)
    urgency = case({why.value: place for why, place in PRIORITY.items()}, value=ReplayRow.why)
    query = (
        select(ReplayRow)
        .join(StudyRow, col(StudyRow.id) == col(ReplayRow.study_id))
        .where(ReplayRow.state == OPEN, StudyRow.owner == owner)
        .order_by(urgency, col(ReplayRow.asked_at), col(ReplayRow.id))
        .limit(1)
    )
    return fact(Replay, session.exec(query).one()), owner


def of_leases(session: Session, lease_ids: Iterable[str]) -> dict[str, Replay]:
    """Give the newest replay, of all its work, of each of these leases that has one."""
    query = (
        select(ReplayRow)
        .where(col(ReplayRow.lease_id).in_(list(lease_ids)), col(ReplayRow.why).not_in(OF_A_PART))
        .order_by(col(ReplayRow.asked_at), col(ReplayRow.id))
    )
    return {found.lease_id: fact(Replay, found) for found in session.exec(query)}


def of_study(session: Session, study_id: str, limit: int) -> list[Replay]:
    """List a study's replays, newest first."""
    query = (
        select(ReplayRow)
        .where(ReplayRow.study_id == study_id)
        .order_by(col(ReplayRow.asked_at).desc(), col(ReplayRow.id))
        .limit(limit)
    )
    return [fact(Replay, found) for found in session.exec(query)]


def states_of_study(session: Session, study_id: str) -> dict[tuple[str, str], str]:
    """Give, by lease and the state that it came to, how the newest replay of its work stands."""
    query = (
        select(ReplayRow.lease_id, ReplayRow.end, ReplayRow.state)
        .where(ReplayRow.study_id == study_id, col(ReplayRow.why).not_in(OF_A_PART))
        .order_by(col(ReplayRow.asked_at), col(ReplayRow.id))
    )
    return {(lease, end): state for lease, end, state in session.exec(query)}


def open_of_unit(session: Session, unit_id: str, why: Why) -> bool:
    """Say whether a unit has an open replay for this reason."""
    query = select(ReplayRow.id).where(
        ReplayRow.unit_id == unit_id, ReplayRow.state == OPEN, ReplayRow.why == why.value
    )
    return session.exec(query).first() is not None


def open_before_end(session: Session, study_ids: Collection[str]) -> dict[str, int]:
    """Count, by study, the open replays for which a study waits."""
    query = (
        select(ReplayRow.study_id, func.count())
        .where(
            col(ReplayRow.study_id).in_(study_ids),
            ReplayRow.state == OPEN,
            ReplayRow.why == Why.FINALIST.value,
        )
        .group_by(col(ReplayRow.study_id))
    )
    return dict(session.exec(query).all())


def results_of_study(
    session: Session, study_id: str, trial: int | None = None
) -> list[tuple[int, str, str, str]]:
    """Give (trial, kind, lease, state) of every result of a study, or of one trial."""
    query = select(UnitRow.trial, UnitRow.kind, UnitRow.result_lease, UnitRow.result).where(
        UnitRow.study_id == study_id, col(UnitRow.result_lease).is_not(None)
    )
    if trial is not None:
        query = query.where(UnitRow.trial == trial)
    found = session.exec(query)
    return [(number, kind, lease or "", end or "") for number, kind, lease, end in found]


def went_on_from(session: Session, study_id: str) -> dict[str, tuple[str, str]]:
    """Give, of each lease that went on from another's state, that other lease and the state."""
    query = select(LeaseRow.id, LeaseRow.start_lease, LeaseRow.start).where(
        LeaseRow.study_id == study_id, col(LeaseRow.start_lease).is_not(None)
    )
    return {
        lease: (other, start) for lease, other, start in session.exec(query) if other is not None
    }


def any_refuted(session: Session, lease_ids: Collection[str]) -> bool:
    """Say whether something that one of these leases handed in was refuted."""
    query = select(ReplayRow.id).where(
        col(ReplayRow.lease_id).in_(lease_ids),
        ReplayRow.state == ReplayState.REFUTED.value,
        ReplayRow.why != Why.STUCK.value,
    )
    return session.exec(query).first() is not None


def units_standing_on(session: Session, donor_id: str, limit: int = 200) -> list[str]:
    """List the units whose result, or state to go on from, a donor's leases led to, newest first.

    Args:
        session: The transaction.
        donor_id: The donor.
        limit: How many at most.
    """
    later = aliased(LeaseRow)
    went_on = (
        select(later.id)
        .where(
            col(later.unit_id) == col(LeaseRow.unit_id),
            col(later.start_lease) == col(LeaseRow.id),
        )
        .exists()
    )
    query = (
        select(LeaseRow.unit_id, func.max(LeaseRow.started_at).label("newest"))
        .join(UnitRow, col(UnitRow.id) == col(LeaseRow.unit_id))
        .join(StudyRow, col(StudyRow.id) == col(UnitRow.study_id))
        .where(
            LeaseRow.donor_id == donor_id,
            or_(col(UnitRow.result_lease) == col(LeaseRow.id), went_on),
            col(StudyRow.state).in_(["running", "completed"]),
        )
        .group_by(col(LeaseRow.unit_id))
        .order_by(desc("newest"))
        .limit(limit)
    )
    return [unit_id for unit_id, _ in session.exec(query)]


def agreements_before(session: Session, replay: Replay) -> int:
    """Count a donor's agreements in a row up to this replay's verdict."""
    query = (
        select(ReplayRow.state)
        .where(
            ReplayRow.donor_id == replay.donor_id,
            ReplayRow.backend == replay.backend,
            ReplayRow.why != Why.STUCK.value,
            col(ReplayRow.decided_at) < (replay.decided_at or 0.0),
            col(ReplayRow.state).in_(
                [s.value for s in (ReplayState.AGREED, ReplayState.UNDONE, ReplayState.REFUTED)]
            ),
        )
        .order_by(col(ReplayRow.decided_at).desc())
    )
    count = 0
    for state in session.exec(query):
        if state == ReplayState.REFUTED:
            break
        count += 1
    return count


def units_waiting(session: Session) -> set[str]:
    """Give the units whose claimed divergence is still to be proven.

    It stands on earlier rungs of the same network too, which are trained again with it.
    """
    proving = aliased(UnitRow)
    query = (
        select(UnitRow.id)
        .join(
            proving,
            and_(
                col(UnitRow.study_id) == col(proving.study_id),
                col(UnitRow.trial) == col(proving.trial),
                col(UnitRow.kind) == col(proving.kind),
                col(UnitRow.fold) == col(proving.fold),
                col(UnitRow.repeat) == col(proving.repeat),
                col(UnitRow.rung) >= col(proving.rung),
            ),
        )
        .join(ReplayRow, col(ReplayRow.unit_id) == col(proving.id))
        .where(ReplayRow.state == OPEN, ReplayRow.why == Why.DIVERGED.value)
    )
    return set(session.exec(query))
