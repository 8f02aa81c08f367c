"""What of a state counts where others go on from it: all of it, and where it leads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from potluck.protocol.optimizers import Adam
from potluck_coordinator.core.trust import MOST_TOLERANCE, TOLERANCE
from potluck_coordinator.training.checkpoint import State, read_checkpoint, write_checkpoint
from potluck_coordinator.training.distance import distance
from potluck_coordinator.training.known_answer import STEPS
from potluck_coordinator.training.unit_training import Training
from tests.unit.training.test_replay import REFERENCE, course, measured

START = State(
    weights={"d/kernel": np.ones((4, 4), np.float32), "frozen/table": np.ones((50, 4), np.float32)},
    epoch=0,
    step=0,
)
END = replace(
    START,
    weights={**START.weights, "d/kernel": np.full((4, 4), 2.0, np.float32)},
    step=4,
    iteration=4,
    loss_sum=3.0,
    loss_rows=8.0,
    plateau=np.array([0.1, 0.5, 2.0, 0.0], np.float32),
)


def apart(other: State, *, goes_on: bool = True) -> float:
    return distance(START, END, other, goes_on)


def least_gone(squares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Empty the smallest elements that together hold a twentieth of an array's length."""
    ordered = np.sort(squares.ravel())
    lengths = np.sqrt(np.cumsum(ordered.astype(np.float64) ** 2))
    small = ordered[lengths <= 0.05 * lengths[-1]]
    most = small[-1] if len(small) else np.float32(-1)
    return np.where(squares <= most, np.float32(0), squares)


def test_small_squares_that_steps_are_divided_by_are_seen_by_where_they_lead() -> None:
    adam = replace(course(), optimizer=Adam(learning_rate=0.01))
    training = Training(adam, REFERENCE.topology, REFERENCE.checkpoint, REFERENCE.tensors)
    for _ in range(STEPS):
        training.advance()
    state = training.state()
    emptied = {name: least_gone(value) for name, value in state.slots["velocity"].items()}
    other = replace(state, slots={**state.slots, "velocity": emptied})
    assert distance(read_checkpoint(REFERENCE.checkpoint), state, other, goes_on=True) <= TOLERANCE
    end = write_checkpoint(other)
    assert measured(end, course=adam, goes_on=True) > TOLERANCE
    assert measured(end, course=adam) < 1e-5


def test_an_array_that_training_leaves_as_it_is_may_not_be_touched() -> None:
    touched = END.weights["frozen/table"] + np.float32(1e-3)
    other = replace(END, weights={**END.weights, "frozen/table": touched})
    assert apart(other, goes_on=False) > TOLERANCE
    rounded = END.weights["frozen/table"] * np.float32(1 + 1e-6)
    assert apart(replace(END, weights={**END.weights, "frozen/table": rounded})) < TOLERANCE


@pytest.mark.parametrize(
    "changes",
    [
        {"loss_rows": 9.0},
        {"loss_sum": 4.0},
        {"loss_sum": float("nan")},
        {"plateau": None},
        {"plateau": np.array([0.1, 0.5, 1.0, 0.0], np.float32)},
        {"plateau": np.array([0.1001, 0.5, 2.0, 0.0], np.float32)},
        {"plateau": np.array([0.1, 0.7, 2.0, 0.0], np.float32)},
    ],
    ids=str,
)
def test_what_decides_the_next_rate_counts(changes: dict[str, object]) -> None:
    other = replace(END, **changes)  # type: ignore[arg-type]  # fields of a state
    assert apart(other) > TOLERANCE
    assert apart(other, goes_on=False) == 0.0
    assert apart(END) == 0.0


def test_a_plateau_that_was_never_asked_for_is_another_state() -> None:
    assert distance(START, replace(END, plateau=None), END, goes_on=True) > MOST_TOLERANCE
