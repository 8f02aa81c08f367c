"""A lease's life, and what to make of a result that arrives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from potluck_coordinator.core.units import UnitState

LEASE_SECONDS = 120.0
HEARTBEAT_SECONDS = 15.0
UNHEARD_SECONDS = 20.0
"""A donor that went away, or without a word about a lease, has this long to come back for it."""
STALLED_SECONDS = 60.0
MAX_TRIES = 3
MOST_SHORT = 4
"""Leases in a row of a unit whose states others go on from, however little they trained."""
LEAST_SHARE = 8
"""Beyond these a state must be an eighth of the unit further than where its lease began, or ..."""
LONG_SECONDS = 1200.0
"""... have taken its lease so long."""
BLAMELESS = ("closing", "paused", "stopped")
"""Reasons to hand a unit back that say nothing about the unit."""


class LeaseState(StrEnum):
    """Where a lease is. Only `held` is open; the rest say how it ended."""

    HELD = "held"
    COMPLETED = "completed"
    EXPIRED = "expired"
    HANDED_BACK = "handed_back"
    SUPERSEDED = "superseded"
    REFUSED = "refused"


@dataclass(frozen=True)
class LeaseView:
    """What the rules need to know of a lease."""

    id: str
    state: LeaseState
    from_step: int
    result: str | None


@dataclass(frozen=True)
class UnitView:
    """What the rules need to know of a unit."""

    state: UnitState
    lease_id: str | None
    checkpoint_lease: str | None
    checkpoint_step: int


def worth_going_on(before: int, steps: int, unit_steps: int, seconds: float = 0.0) -> bool:
    """Say whether others go on from a state that a lease came to.

    Each lease that a result stands on is one more to prove, and one more state to keep: so a unit
    has at most `MOST_SHORT + LEAST_SHARE` of them before its last one, and three more an hour.

    Args:
        before: How many leases led to where this one began.
        steps: How many steps it has trained.
        unit_steps: All steps of the unit.
        seconds: For how long it has been held.

    Example: `worth_going_on(4, 10, 100)` is False, `worth_going_on(4, 13, 100)` is True.
    """
    enough = steps * LEAST_SHARE >= unit_steps or seconds >= LONG_SECONDS
    return before < MOST_SHORT or enough


class Verdict(StrEnum):
    """What becomes of a result."""

    ACCEPT = "accept"
    DUPLICATE = "duplicate"
    SPENT = "spent"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


def judge_result(lease: LeaseView, unit: UnitView, artifact: str) -> Verdict:
    """Decide about a result: accepted once, from a holder; a late one until a newer checkpoint."""
    if lease.state is LeaseState.COMPLETED:
        return Verdict.DUPLICATE if lease.result == artifact else Verdict.SPENT
    if lease.state in (LeaseState.HANDED_BACK, LeaseState.REFUSED):
        return Verdict.SPENT
    if unit.state is UnitState.CANCELLED:
        return Verdict.CANCELLED
    if lease.state is LeaseState.HELD and unit.state in (UnitState.READY, UnitState.LEASED):
        return Verdict.ACCEPT  # where two hold it, the first result counts
    if unit.state in (UnitState.READY, UnitState.LEASED):
        untouched = unit.checkpoint_lease in (None, lease.id)
        if untouched or unit.checkpoint_step <= lease.from_step:
            return Verdict.ACCEPT
    return Verdict.SUPERSEDED


@dataclass(frozen=True)
class TriesAfter:
    """What an attempt that gave no result leaves behind."""

    tries: int
    set_aside: bool


def count_try(tries: int, *, progressed: bool, donors_tried: int, donors_online: int) -> TriesAfter:
    """Count an attempt. Only those without progress count.

    Three on different donors set the unit aside, or three on the same one when there is no other.
    """
    if progressed:
        return TriesAfter(0, set_aside=False)
    tries += 1
    others = donors_online > donors_tried
    exhausted = tries >= MAX_TRIES and (donors_tried >= MAX_TRIES or not others)
    return TriesAfter(tries, set_aside=exhausted)
