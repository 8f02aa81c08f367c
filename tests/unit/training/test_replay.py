"""A replay says how far two trainings are apart; what was not asked for lies far off."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from potluck_coordinator.core.trust import MOST_TOLERANCE, TOLERANCE
from potluck_coordinator.training.checkpoint import (
    State,
    read_checkpoint,
    write_checkpoint,
    write_tensors,
)
from potluck_coordinator.training.distance import distance
from potluck_coordinator.training.known_answer import STEPS, known_answer_reference
from potluck_coordinator.training.replay import Course, ReplayJob, replay
from potluck_coordinator.training.unit_training import Recipe, Training
from tests.support.small_units import small_unit, stacked

REFERENCE = known_answer_reference()


def course(made: Recipe = REFERENCE) -> Course:
    """Give a small training's recipe, by default the self-test's, as a replay takes it."""
    return Course(
        rows=made.rows,
        batch_size=made.batch_size,
        steps_per_epoch=made.steps_per_epoch,
        optimizer=made.optimizer,
        loss=made.loss,
        loss_options=made.loss_options,
        from_logits=made.from_logits,
        seed=made.seed,
    )


def trained(steps: int = STEPS) -> bytes:
    """Train the small network so many steps."""
    training: Training = REFERENCE.open()
    for _ in range(steps):
        training.advance()
    return write_checkpoint(training.state())


def job(end: bytes | None, **changes: object) -> ReplayJob:
    made = ReplayJob(
        course=course(),
        topology=REFERENCE.topology,
        tensors=REFERENCE.tensors,
        start=REFERENCE.checkpoint,
        end=end,
        to_step=STEPS,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of the job


def measured(end: bytes, **changes: object) -> float:
    """Give the distance that a replay finds."""
    found = replay(job(end, **changes))
    assert found.comparison is not None, found.unable
    return found.comparison.distance


def test_the_same_training_agrees() -> None:
    assert measured(trained(), goes_on=True) < 1e-5


def test_fewer_steps_lie_far_off() -> None:
    early = replace(read_checkpoint(trained(STEPS - 1)), step=STEPS, iteration=STEPS)
    assert measured(write_checkpoint(early)) > TOLERANCE


@pytest.mark.parametrize("array", ["head/bias", "conv/kernel", "norm/moving_mean"])
def test_one_changed_array_is_not_lost_among_the_others(array: str) -> None:
    state = read_checkpoint(trained())
    changed = {**state.weights, array: state.weights[array] + np.float32(0.05)}
    assert measured(write_checkpoint(replace(state, weights=changed))) > TOLERANCE


def test_slots_count_where_others_go_on() -> None:
    state = read_checkpoint(trained())
    slots = {
        slot: {name: value * 100 for name, value in arrays.items()}
        for slot, arrays in state.slots.items()
    }
    spoiled = write_checkpoint(replace(state, slots=slots))
    assert measured(spoiled, goes_on=True) > MOST_TOLERANCE
    assert measured(spoiled, goes_on=False) < 1e-5


def test_a_claimed_divergence_of_a_good_training_is_not_shared() -> None:
    found = replay(job(trained(), diverged=True))
    assert found.comparison is not None
    assert not found.comparison.diverged


def test_what_takes_too_long_is_told_and_not_judged() -> None:
    found = replay(job(trained(), seconds=1e-9))
    assert found.comparison is None
    assert "at most" in found.unable
    assert not found.failed


def changed_by_chance(rate: float, *, diverged: bool, rows: float = 1.0) -> ReplayJob:
    """Give a job whose network changes pictures by chance, which is not repeated exactly here."""
    import keras

    keras.utils.set_random_seed(1)
    unit = small_unit(stacked((6, 6, 1), keras.layers.RandomFlip(name="flip"))).with_rate(rate)
    data = {**unit.data, "x": (unit.data["x"] * rows).astype(np.float32)}
    start = write_checkpoint(State(dict(unit.model.weights), 0, 0))
    return ReplayJob(
        course=course(unit),
        topology=json.dumps(unit.topology).encode(),
        tensors=write_tensors(data),
        start=start,
        end=start if diverged else None,
        to_step=40,
        diverged=diverged,
    )


def test_a_divergence_shows_itself_with_other_random_numbers_too() -> None:
    found = replay(changed_by_chance(1e30, diverged=True, rows=1e38))
    assert found.comparison is not None, found.unable
    assert found.comparison.diverged


def test_other_random_numbers_prove_no_lie() -> None:
    found = replay(changed_by_chance(1.0, diverged=True))
    assert found.comparison is None
    assert "RandomFlip" in found.unable
    assert found.seconds > 0, "it was trained with other random numbers"


def test_what_is_not_repeated_exactly_says_nothing_of_a_unit_that_donors_gave_up_on() -> None:
    found = replay(changed_by_chance(1.0, diverged=False))
    assert found.comparison is None
    assert "RandomFlip" in found.unable
    assert not found.failed


def test_bytes_that_are_no_state_are_an_error_that_is_told() -> None:
    found = replay(job(None, start=b"nothing"))
    assert found.failed


def test_states_of_another_kind_are_infinitely_far_apart() -> None:
    start = read_checkpoint(REFERENCE.checkpoint)
    own = read_checkpoint(trained())
    less = {name: value for name, value in own.weights.items() if name != "head/bias"}
    assert distance(start, own, replace(own, weights=less), False) == float("inf")
    assert distance(start, own, replace(own, iteration=3), False) == float("inf")
