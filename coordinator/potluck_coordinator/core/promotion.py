"""What follows when a rung's scores are in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from potluck_coordinator.core.units import UnitState


@dataclass(frozen=True)
class RungUnit:
    """One unit as promotion sees it."""

    rung: int
    state: UnitState
    diverged: bool


class Next(StrEnum):
    """What follows for a trial."""

    WAIT = "wait"
    PROMOTE = "promote"
    COMPLETE = "complete"
    FAIL = "fail"
    INCOMPLETE = "incomplete"


def decide(units: Iterable[RungUnit], rung: int, last_rung: int) -> Next:
    """Decide a trial's next step from all its units; `rung` is the one that just got a score.

    Promotion waits for all folds and repeats of a rung. A diverged unit fails the trial.
    A set-aside unit leaves the trial incomplete once nothing of its rung is still to come.
    """
    here = [u for u in units if u.rung == rung]
    if any(u.diverged for u in here):
        return Next.FAIL
    settled = (UnitState.SCORED, UnitState.SET_ASIDE)
    # A cancelled unit says that its study was stopped: resuming opens it again.
    if any(u.state not in settled for u in here):
        return Next.WAIT
    if any(u.state is not UnitState.SCORED for u in here):
        return Next.INCOMPLETE
    return Next.COMPLETE if rung == last_rung else Next.PROMOTE
