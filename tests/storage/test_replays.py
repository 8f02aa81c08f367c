"""Replays wait for their owners' turns, and of one owner's the most urgent goes first."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session

from potluck_coordinator.core.records import Replay
from potluck_coordinator.core.trust import ReplayState, Why
from potluck_coordinator.core.units import UnitEvent
from potluck_coordinator.storage import (
    leases,
    replays,
    studies,
    trials,
    units,
)
from tests.storage.test_units import SHA, lease, session, unit

__all__ = ["session"]


def ask(session: Session, name: str, study: str, why: Why, at: float) -> None:
    """Keep an open replay of a lease of its own."""
    number = name.removeprefix("r")
    units.add(session, [replace(unit(f"u{number}"), study_id=study)])
    leases.add(session, replace(lease(f"l{number}", f"u{number}"), study_id=study))
    replays.add(
        session,
        Replay(
            id=name,
            study_id=study,
            unit_id=f"u{number}",
            trial=0,
            lease_id=f"l{number}",
            donor_id="d1",
            backend="cpu",
            why=why.value,
            state=ReplayState.OPEN.value,
            start=SHA,
            end=SHA,
            from_step=0,
            to_step=1,
            asked_at=at,
        ),
    )


def test_owners_take_turns_and_the_most_urgent_of_each_goes_first(session: Session) -> None:
    ann = studies.get(session, "st")
    studies.add(session, replace(ann, id="other", owner="bob"), [])
    trial = trials.get(session, "st", 0)
    assert trial is not None
    trials.add(session, replace(trial, study_id="other"))
    ask(session, "r0", "st", Why.SAMPLED, 1.0)
    for number in range(1, 4):
        ask(session, f"r{number}", "st", Why.DIVERGED, 2.0 + number)
    ask(session, "r4", "other", Why.SAMPLED, 9.0)
    ask(session, "r5", "other", Why.FINALIST, 10.0)
    done: list[str] = []
    served: dict[str, float] = {}
    while (found := replays.next_open(session, served)) is not None:
        due, owner = found
        done.append(due.id)
        served[owner] = 11.0 + len(done)
        assert replays.decide(session, due.id, ReplayState.AGREED, decided_at=11.0)
    assert done == ["r1", "r5", "r2", "r4", "r3", "r0"]


def test_new_owners_do_not_come_before_who_waits(session: Session) -> None:
    ann = studies.get(session, "st")
    trial = trials.get(session, "st", 0)
    assert trial is not None
    for number in range(3):
        ask(session, f"r{number}", "st", Why.SAMPLED, float(number))
    done: list[str] = []
    served: dict[str, float] = {}
    for number in range(1, 7):  # each turn brings an owner who was never served
        name = f"{10 + number}"
        studies.add(session, replace(ann, id=name, owner=name), [])
        trials.add(session, replace(trial, study_id=name))
        ask(session, name, name, Why.DIVERGED, 10.0 * number + 1.0)
        found = replays.next_open(session, served)
        assert found is not None
        due, owner = found
        done.append(due.id)
        served[owner] = 10.0 * number + 5.0
        assert replays.decide(session, due.id, ReplayState.AGREED, decided_at=11.0)
    assert [name for name in done if name.startswith("r")] == ["r0", "r1", "r2"]


def test_later_rungs_of_a_network_wait_for_the_proof_of_an_earlier_one(session: Session) -> None:
    ask(session, "r0", "st", Why.DIVERGED, 1.0)
    ask(session, "r1", "st", Why.SAMPLED, 1.0)
    units.add(session, [replace(unit("u0"), id="later", rung=1)])
    units.add(session, [replace(unit("u1"), id="others", rung=1)])
    assert replays.units_waiting(session) == {"u0", "later"}


def test_a_refuted_donors_states_count_where_others_went_on_from_them(session: Session) -> None:
    units.add(session, [unit(f"u{n}") for n in range(4)])
    for number in range(4):
        own = replace(lease(f"l{number}", f"u{number}"), started_at=float(number))
        leases.add(session, own)
    units.change(session, "u1", UnitEvent.RETURN, result=SHA, result_lease="l1")
    leases.add(session, replace(lease("next", "u3", donor="d2"), start_lease="l3"))
    assert replays.units_standing_on(session, "d1") == ["u3", "u1"]
    assert replays.units_standing_on(session, "d1", limit=1) == ["u3"]
    assert replays.units_standing_on(session, "d2") == []
