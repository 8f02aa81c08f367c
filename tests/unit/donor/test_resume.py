"""Every optimizer and schedule goes on from any step of a headless donor, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from potluck_coordinator.training.checkpoint import State, read_checkpoint, write_checkpoint
from tests.support.optimizer_cases import COMMON, PLATEAU, RULES, SCHEDULED, optimizer
from tests.support.small_units import SmallUnit, small_unit, stacked

STEPS = 8  # the plateau's state is decided after steps 3 and 6
NEVER_GOOD = {"schedule": PLATEAU | {"patience": 0, "min_delta": 9.0, "cooldown": 0}}
CASES = RULES | COMMON | {"cosine": SCHEDULED["cosine after warm-up"]}
CASES |= {"plateau": RULES["momentum"] | NEVER_GOOD}


def unit(case: str) -> SmallUnit:
    import keras

    network = stacked((6,), keras.layers.Dense(4, kernel_constraint=keras.constraints.UnitNorm()))
    return small_unit(network, optimizer=optimizer(CASES[case]))


@pytest.mark.parametrize("case", CASES)
def test_a_state_holds_all_that_the_next_step_needs(case: str) -> None:
    given = unit(case)
    whole = write_checkpoint(given.train(STEPS))
    for cut in (1, 3, 7):
        training = given.open(write_checkpoint(given.train(cut)))
        while training.step < STEPS:
            training.advance()
        assert write_checkpoint(training.state()) == whole


def forgetful(state: State, what: str) -> State:
    if what == "plateau":
        return replace(state, plateau=None)
    return replace(state, slots={k: v for k, v in state.slots.items() if k != what})


@pytest.mark.parametrize(
    ("case", "what"),
    [("plateau", "plateau"), ("averaged", "average"), ("amsgrad", "velocity_hat")],
)
def test_a_state_that_lacks_a_part_goes_on_otherwise(case: str, what: str) -> None:
    given = unit(case)
    whole = write_checkpoint(given.train(STEPS))
    training = given.open(write_checkpoint(forgetful(given.train(6), what)))
    while training.step < STEPS:
        training.advance()
    assert write_checkpoint(training.state()) != whole


def test_a_plateau_s_state_is_in_the_checkpoint_of_an_epoch_s_end() -> None:
    given = unit("plateau")
    assert given.train(2).plateau is None
    first, second = (read_checkpoint(write_checkpoint(given.train(n))).plateau for n in (3, 6))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first[[0, 2, 3]], np.array([0.1, 0, 0], np.float32))
    assert second[0] == np.float32(0.05)
