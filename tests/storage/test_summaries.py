"""Studies in numbers, on SQLite and PostgreSQL: the same as counting row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlmodel import Session

from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Look, Score, Study, Trial
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.services.standings import TopTrials, places
from potluck_coordinator.storage import leases, scores, studies, summaries, trials, units
from tests.storage.test_units import SHA, lease, session, unit

__all__ = ["session"]


def add_trial(
    tx: Session, study: str, number: int, value: float | None, state: str = "completed"
) -> None:
    """Keep a trial of one scored unit."""
    made = Trial(
        study_id=study,
        number=number,
        state=state,
        parameters={"learning_rate": number / 10},
        graph=SHA,
        topology=SHA,
        value=value,
        created_at=1.0,
    )
    trials.add(tx, made)
    name = f"{study}{number}"
    like = replace(unit("u0", UnitState.SCORED), id=name, study_id=study, trial=number)
    units.add(tx, [like])
    kept = Score(
        unit_id=name,
        study_id=study,
        metrics={},
        value=value,
        rows=1,
        predictions=None,
        scored_at=1.0,
    )
    scores.add(tx, kept)


def add_study(tx: Session, name: str, direction: str, values: Sequence[float | None]) -> Study:
    """Keep a study whose completed trials have these values, beside one that failed."""
    study = replace(studies.get(tx, "st"), id=name, direction=direction)
    studies.add(tx, study, [])
    for number, value in enumerate(values):
        add_trial(tx, name, number, value)
    add_trial(tx, name, len(values), None, "failed")
    return study


@pytest.mark.parametrize(
    ("direction", "values", "first"),
    [
        ("maximize", [0.1, 0.9, 0.9, None], (1, 0.9)),
        ("minimize", [0.4, 0.2, 0.3], (1, 0.2)),
        ("minimize", [float("inf"), 5.0], (1, 5.0)),
        ("maximize", [float("inf"), 5.0], (1, 5.0)),
        ("maximize", [None], None),
    ],
)
def test_the_leader_is_the_trial_in_the_first_place(
    session: Session,
    direction: str,
    values: list[float | None],
    first: tuple[int, float] | None,
) -> None:
    study = add_study(session, "other", direction, values)
    add_study(session, "another", direction, [0.5])
    found = summaries.digests(session, ["other", "another", "st"])
    assert found["other"].leader == first
    ranked = {place: number for number, place in places(session, study).items()}
    assert ranked.get(1) == (first[0] if first else None)
    assert found["another"].leader == (0, 0.5)
    assert found["st"].leader is None


def test_a_digest_counts_what_the_rows_say(session: Session) -> None:
    held = replace(unit("u2", UnitState.LEASED), fold=1, rung=0, to_epoch=7)
    units.add(session, [unit("u0"), unit("u1"), held])
    leases.add(session, replace(lease("l2", "u2", "d2"), epoch=3, samples_per_second=9.5))
    done = replace(lease("l1", "u1"), state=LeaseState.COMPLETED.value, ended_at=5.0)
    leases.add(session, done)
    look = Look(study_id="st", number=1, trial=0, metrics={}, rows=2, at=1.0)
    studies.add_look(session, look)
    found = summaries.digests(session, ["st"])["st"]
    assert (found.model_name, found.dataset_name, found.looks) == ("m", "d", 1)
    assert found.trials == {"running": 1}
    assert found.units == units.counts(session, "st") == {"ready": 2, "leased": 1}
    assert found.seconds_per_unit == 4.0
    (at_work,) = found.held
    assert at_work._asdict() == {
        "donor_id": "d2",
        "name": "d2",
        "backend": "cpu",
        "trial": 0,
        "fold": 1,
        "repeat": 2,
        "rung": 0,
        "epoch": 3,
        "to_epoch": 7,
        "samples_per_second": 9.5,
    }


def test_a_late_result_says_nothing_of_how_long_a_unit_takes(session: Session) -> None:
    late = replace(lease("l0", "u0"), state=LeaseState.COMPLETED.value, ended_at=90_000.0)
    units.add(session, [unit("u0"), unit("u1")])
    leases.add(session, late)
    assert summaries.digests(session, ["st"])["st"].seconds_per_unit is None
    done = replace(lease("l1", "u1"), state=LeaseState.COMPLETED.value, ended_at=5.0)
    leases.add(session, done)
    assert summaries.digests(session, ["st"])["st"].seconds_per_unit == 4.0


def test_lines_carry_the_parameters_in_the_trials_order(session: Session) -> None:
    add_study(session, "other", "maximize", [0.1, 0.2])
    lines = summaries.lines_of(session, "other")
    assert [(line.number, line.state) for line in lines] == summaries.trials_of(session, "other")
    assert [line.parameters["learning_rate"] for line in lines] == [0.0, 0.1, 0.2]


def test_first_places_are_found_again_after_a_while_or_when_the_study_ends(
    session: Session,
) -> None:
    now = [0.0]
    top = TopTrials(most=1, clock=lambda: now[0])
    study = add_study(session, "other", "maximize", [0.1])
    assert top.of(session, study) == {0}
    add_trial(session, "other", 2, 0.2)
    now[0] = 4.9
    assert top.of(session, study) == {0}
    now[0] = 5.1
    assert top.of(session, study) == {2}
    add_trial(session, "other", 3, 0.3)
    ended = replace(study, state="completed")
    assert top.of(session, ended) == {3}
    add_trial(session, "other", 4, 0.4)
    now[0] = 60.0
    assert top.of(session, ended) == {3}
