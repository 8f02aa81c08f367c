"""What is read at every verdict and every request for work does not grow with studies or pasts."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from potluck_coordinator.core.records import RankedStudy, Score, Trial
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.services.standings import leading, places
from potluck_coordinator.storage import (
    holdings,
    leases,
    offers,
    scores,
    studies,
    trials,
    units,
)
from tests.storage.test_units import SHA, lease, session, unit
from tests.support.work import counted

__all__ = ["session"]
FEW, MANY = 40, 1000
ALIKE = 1.5
"""How much more work there may be where there is 25 times as much."""
SLACK = 200
"""Steps that say nothing, of some hundred."""
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def add_trials(session: Session, numbers: range, state: str, value: float | None) -> None:
    for number in numbers:
        made = Trial(
            study_id="st",
            number=number,
            state=state,
            value=value,
            parameters={},
            graph=SHA,
            topology=SHA,
            created_at=1.0,
        )
        trials.add(session, made)


def work_of(engine: Engine, session: Session, look: Callable[[Session], Any]) -> tuple[int, int]:
    """Count the statements and steps of a look; the first one has what is compiled once."""
    look(session)
    with counted(engine) as work:
        look(session)
    return len(work.statements), work.steps


def assert_alike(few: tuple[int, int], many: tuple[int, int]) -> None:
    assert few[0] == many[0]
    assert many[1] <= ALIKE * few[1] + SLACK


@on_sqlite
def test_listing_work_reads_the_oldest_units_of_a_study_however_many_are_ready(
    session: Session, engine: Engine
) -> None:
    def look(tx: Session) -> list[Any]:
        assert offers.any_ready(tx)
        return offers.candidates(tx, per_owner=16)

    done = []
    for numbers in (range(FEW), range(FEW, MANY)):
        made = [replace(unit(f"u{n}"), ready_since=float(n)) for n in numbers]
        units.add(session, made)
        done.append(work_of(engine, session, look))
        assert [one.id for one in look(session)] == [f"u{n}" for n in range(16)]
    assert_alike(*done)


@on_sqlite
def test_the_first_places_are_found_without_the_other_trials_and_all_units(
    session: Session, engine: Engine
) -> None:
    study = RankedStudy(id="st", state="running", direction="maximize")

    def look(tx: Session) -> object:
        assert studies.ending(tx, "st") is not None
        return trials.any_running(tx, "st"), leading(tx, study, 3)

    done = []
    for numbers in (range(1, FEW), range(FEW, MANY)):
        for number in numbers:
            add_trials(session, range(number, number + 1), "completed", 1.0 / number)
        units.add(
            session,
            [replace(unit(f"u{n}", UnitState.SCORED), trial=n) for n in numbers],
        )
        done.append(work_of(engine, session, look))
        assert look(session) == (True, [1, 2, 3])
    assert_alike(*done)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_first_places_are_those_of_the_whole_ranking(session: Session, direction: str) -> None:
    draw = random.Random(7)
    study = RankedStudy(id="st", state="running", direction=direction)
    for number in range(1, 40):
        state = draw.choice(["completed", "completed", "running", "failed", "incomplete"])
        value = draw.choice([0.25, 0.5, draw.random()]) if state == "completed" else None
        add_trials(session, range(number, number + 1), state, value)
        made = replace(unit(f"u{number}", UnitState.SCORED), trial=number)
        units.add(session, [made])
        score = Score(
            unit_id=made.id,
            study_id="st",
            metrics={},
            value=0.5 if value is None else value,
            rows=1,
            scored_at=1.0,
        )
        scores.add(session, score)
        ranking = sorted(places(session, study).items(), key=lambda placed: placed[1])
        assert leading(session, study, 3) == [trial for trial, _ in ranking[:3]]
    # One that was completed without a value has the place that its earlier scores give it.
    add_trials(session, range(50, 51), "completed", None)
    assert trials.any_without_value(session, "st")
    ranking = sorted(places(session, study).items(), key=lambda placed: placed[1])
    assert leading(session, study, 3) == [trial for trial, _ in ranking[:3]]


@on_sqlite
def test_a_donors_past_in_a_study_is_not_read_to_find_its_fold(
    session: Session, engine: Engine
) -> None:
    def look(tx: Session) -> dict[str, int]:
        assert leases.count_held(tx, "d1") == 1
        return leases.folds_of(tx, "d1", ["st"])

    units.add(session, [unit("u0")])
    leases.add(session, replace(lease("held", "u0"), fold=-1))
    done = []
    for numbers in (range(FEW), range(FEW, MANY)):
        for n in numbers:
            began: dict[str, Any] = {
                "started_at": 2.0 + n,
                "state": "completed",
                "token_hash": f"t{n}",
            }
            leases.add(session, replace(lease(f"l{n}", "u0"), fold=1 + n % 4, **began))
        done.append(work_of(engine, session, look))
        assert look(session) == {"st": 1}
        assert leases.folds_of(session, "d2", ["st"]) == {}
    assert_alike(*done)


@on_sqlite
def test_quotas_count_studies_without_their_plans(session: Session, engine: Engine) -> None:
    first = studies.get(session, "st")
    spec = {"pipeline": {"split": {"folds": 4}}, "repeats": 2, "rungs": [1, 2, 5], "trials": 9}
    studies.add(session, replace(first, id="more", spec=spec, trials=7), [])
    held = {"pipeline": {"split": {"folds": None}}, "repeats": 1, "rungs": [3]}
    studies.add(session, replace(first, id="held", spec=held), [])
    with counted(engine) as work:
        found = {one.id: one for one in holdings.running(session, "ann")}
    assert not any("plan" in said for said in work.statements)
    counts = (found["more"].folds, found["more"].repeats, found["more"].rungs)
    assert (found["more"].trials, *counts) == (7, 4, 2, 3)
    assert (found["held"].folds, found["held"].rungs) == (0, 1)
    told = studies.lent(session, "more")
    assert (told.epochs, told.owner, told.circle) == (5, "ann", first.circle)
    over = studies.ending(session, "more")
    assert over is not None
    assert (over.trials, over.asked, over.folds) == (7, 9, 0)
