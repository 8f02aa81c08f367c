"""The unit's life, and how a trial is cut into units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

COMMIT_STEPS = 8


class UnitState(StrEnum):
    """Where a unit is."""

    BLOCKED = "blocked"
    """Waits for a promotion to be decided; has no start state yet."""
    READY = "ready"
    LEASED = "leased"
    RETURNED = "returned"
    """Its weights are durable; the donor is free; the score is to come."""
    SCORED = "scored"
    SET_ASIDE = "set_aside"
    """Failed without progress on three donors; its trial stays incomplete."""
    CANCELLED = "cancelled"


class UnitEvent(StrEnum):
    """What can happen to a unit."""

    UNBLOCK = "unblock"
    LEASE = "lease"
    RELEASE = "release"
    RETURN = "return"
    SCORE = "score"
    SET_ASIDE = "set_aside"
    RETRY = "retry"
    CANCEL = "cancel"
    VOID = "void"
    """What was trained was refuted: it is to be trained anew."""
    COPY = "copy"
    """A second donor gets it, because the first takes much too long."""
    BLOCK = "block"
    """It went on from something that was refuted."""


S, V = UnitState, UnitEvent

TRANSITIONS: Mapping[tuple[UnitState, UnitEvent], UnitState] = {
    (S.BLOCKED, V.UNBLOCK): S.READY,
    (S.BLOCKED, V.CANCEL): S.CANCELLED,
    (S.READY, V.LEASE): S.LEASED,
    (S.READY, V.RETURN): S.RETURNED,  # a late result that still counts
    (S.READY, V.CANCEL): S.CANCELLED,
    (S.READY, V.SET_ASIDE): S.SET_ASIDE,
    (S.LEASED, V.RELEASE): S.READY,
    (S.LEASED, V.RETURN): S.RETURNED,
    (S.LEASED, V.SET_ASIDE): S.SET_ASIDE,
    (S.LEASED, V.CANCEL): S.CANCELLED,
    (S.RETURNED, V.SCORE): S.SCORED,
    (S.RETURNED, V.SET_ASIDE): S.SET_ASIDE,
    (S.RETURNED, V.CANCEL): S.CANCELLED,
    (S.SET_ASIDE, V.RETRY): S.READY,
    (S.SET_ASIDE, V.CANCEL): S.CANCELLED,
    (S.CANCELLED, V.RETRY): S.READY,
    (S.READY, V.VOID): S.READY,
    (S.LEASED, V.VOID): S.READY,
    (S.RETURNED, V.VOID): S.READY,
    (S.SCORED, V.VOID): S.READY,
    (S.LEASED, V.COPY): S.LEASED,
    (S.READY, V.BLOCK): S.BLOCKED,
    (S.LEASED, V.BLOCK): S.BLOCKED,
    (S.RETURNED, V.BLOCK): S.BLOCKED,
    (S.SCORED, V.BLOCK): S.BLOCKED,
    (S.SET_ASIDE, V.BLOCK): S.BLOCKED,
    (S.CANCELLED, V.BLOCK): S.BLOCKED,
}


def after(state: UnitState, event: UnitEvent) -> UnitState | None:
    """Give the state after an event, or None where the event cannot happen."""
    return TRANSITIONS.get((state, event))


def states_before(event: UnitEvent) -> tuple[UnitState, ...]:
    """Give the states in which an event can happen: what a conditional update asks for."""
    return tuple(state for state, other in TRANSITIONS if other is event)


@dataclass(frozen=True)
class UnitDraft:
    """One unit of a trial: trial × fold × repeat × rung."""

    fold: int | None
    repeat: int
    rung: int
    from_epoch: int
    to_epoch: int
    state: UnitState


def split_trial(rungs: Sequence[int], folds: int, repeats: int) -> Iterator[UnitDraft]:
    """Cut a trial into units: every epoch of every network once, rung after rung.

    `rungs` are ascending epoch counts; `folds` 0 means one network on the validation split.
    """
    before = 0
    for rung, to_epoch in enumerate(rungs):
        for fold in range(folds) if folds else (None,):
            for repeat in range(repeats):
                state = UnitState.READY if rung == 0 else UnitState.BLOCKED
                yield UnitDraft(fold, repeat, rung, before, to_epoch, state)
        before = to_epoch


def units_of(trials: int, folds: int, repeats: int, rungs: int) -> int:
    """Count the units of so many whole trials, with the refit that folds bring (0: no folds)."""
    return trials * (folds or 1) * repeats * rungs + (1 if folds else 0)


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Count an epoch's steps; the last batch may be smaller."""
    return max(1, ceil(rows / batch_size))


def commit_steps(from_step: int, to_step: int, most: int = COMMIT_STEPS) -> tuple[int, ...]:
    """Choose at most `most` evenly spaced steps; the last one is the unit's end."""
    span = to_step - from_step
    count = min(most, span)
    return tuple(from_step + span * (i + 1) // count for i in range(count))
