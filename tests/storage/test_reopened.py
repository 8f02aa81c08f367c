"""What runs again is opened by a few statements, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from potluck_coordinator.core.records import Trial, Unit
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.storage import reopened, trials, units
from tests.storage.test_units import SHA, session, unit
from tests.support.work import counted

__all__ = ["session"]
CLOSED = (UnitState.CANCELLED, UnitState.SET_ASIDE)


def add_trial(session: Session, number: int, state: str) -> None:
    made = Trial(
        study_id="st",
        number=number,
        state=state,
        parameters={},
        graph=SHA,
        topology=SHA,
        created_at=1.0,
    )
    trials.add(session, made)


def of_every_state(trial: int, kind: str = "trial") -> list[Unit]:
    """Give units of a trial in every state, with a start and without, begun by somebody."""
    begun: dict[str, Any] = {"tries": 3, "lease_id": "l", "checkpoint": SHA, "checkpoint_step": 5}
    return [
        replace(
            unit(f"u{number}", state),
            id=f"{kind}{trial}.{number}",
            trial=trial,
            kind=kind,
            start=start,
            checkpoint_lease="l",
            **begun,
        )
        for number, (state, start) in enumerate(
            (state, start) for state in UnitState for start in (SHA, None)
        )
    ]


def opened(one: Unit) -> Unit:
    """Give a unit as it is when it is open again."""
    ready = one.start is not None
    return replace(
        one,
        state=(UnitState.READY if ready else UnitState.BLOCKED).value,
        ready_since=9.0 if ready else None,
        tries=0,
        lease_id=None,
        checkpoint=None,
        checkpoint_step=0,
        checkpoint_lease=None,
    )


def test_closed_units_of_running_trials_and_refits_are_open_again(session: Session) -> None:
    add_trial(session, 1, "completed")
    made = [*of_every_state(0), *of_every_state(1), *of_every_state(1, "refit")]
    units.add(session, made)
    expected = {
        one.id: opened(one)
        if one.state in CLOSED and (one.trial == 0 or one.kind == "refit")
        else one
        for one in made
    }
    assert reopened.open_again(session, "other", now=9.0) == 0
    assert reopened.open_again(session, "st", now=9.0) == 8
    assert {one.id: one for one in units.of_study(session, "st")} == expected


def test_one_trials_cancelled_units_are_open_again(session: Session) -> None:
    add_trial(session, 1, "completed")
    made = [*of_every_state(0), *of_every_state(1)]
    units.add(session, made)
    only = (UnitState.CANCELLED,)
    assert reopened.open_again(session, "st", now=9.0, trial=1, states=only) == 2
    expected = {
        one.id: opened(one) if one.state in only and one.trial == 1 else one for one in made
    }
    assert {one.id: one for one in units.of_study(session, "st")} == expected


RUNGS: dict[int, tuple[dict[int, list[str]], int | None]] = {
    0: ({0: ["scored", "scored"], 1: ["blocked", "blocked"]}, 0),  # a promotion that is due
    1: ({0: ["scored", "scored"], 1: ["ready", "ready"]}, None),
    2: ({0: ["scored", "ready"], 1: ["blocked", "blocked"]}, None),
    3: ({0: ["scored", "scored"], 1: ["scored", "scored"]}, 1),  # the trial's end is due
    4: ({0: ["ready", "ready"], 1: ["blocked", "blocked"]}, None),
    5: ({0: ["scored", "scored"], 1: ["scored", "leased"]}, None),
    6: ({0: ["scored", "diverged"], 1: ["blocked", "blocked"]}, 0),
}


def test_trials_are_found_of_which_a_rung_is_done_and_nothing_followed(session: Session) -> None:
    for number in (*range(1, len(RUNGS)), 99):
        add_trial(session, number, "completed" if number == 99 else "running")
    for number, (rungs, _) in {**RUNGS, 99: RUNGS[0]}.items():
        for rung, states in rungs.items():
            for repeat, said in enumerate(states):
                state = UnitState("scored" if said == "diverged" else said)
                made = replace(
                    unit(f"u{repeat}", state),
                    id=f"{number}.{rung}.{repeat}",
                    trial=number,
                    rung=rung,
                    diverged=said == "diverged",
                )
                units.add(session, [made])
    due = [(number, rung) for number, (_, rung) in RUNGS.items() if rung is not None]
    assert reopened.unsettled(session, "st") == due
    assert reopened.unsettled(session, "other") == []


def test_the_number_of_statements_does_not_depend_on_the_number_of_units(
    session: Session, engine: Engine
) -> None:
    told = []
    for many in (range(2), range(2, 500)):
        units.add(session, [unit(f"u{n}", UnitState.CANCELLED) for n in many])
        with counted(engine) as work:
            assert reopened.open_again(session, "st", now=9.0) == len(many)
            assert reopened.unsettled(session, "st") == []
        told.append(len(work.statements))
    assert told == [4, 4]
