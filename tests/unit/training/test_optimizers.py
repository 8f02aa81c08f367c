"""Whole steps of every optimizer against Keras 3's own, and twins that the same bound finds.

24 steps of float32 differ from Keras's by about 1e-6 here; what is wrong by a fiftieth differs by
more than 1e-4.
"""

from __future__ import annotations

import json
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.protocol.optimizers import AnyOptimizer
from potluck.protocol.schedules import Plateau
from potluck_coordinator.training.optimizers import (
    PlateauState,
    after_epoch,
    initial_of,
    rate_at,
    step_of,
)
from tests.support.keras_optimizers import keras_optimizer, keras_plateau
from tests.support.optimizer_cases import ALL, PLATEAU, RULES, optimizer, slightly_wrong
from tests.support.optimizer_vectors import (
    PATH,
    STEPS_PER_EPOCH,
    Weights,
    gradients,
    start,
    theirs,
    vectors,
)

TOLERANCE = 2e-5


def ours(given: AnyOptimizer) -> tuple[Weights, Weights]:
    """Give the weights, and their moving averages (or the weights where there are none)."""
    step = step_of(given)
    weights = [jnp.asarray(w) for w in start()]
    slots = [[jnp.full(w.shape, initial_of(given, s)) for s in step.slots] for w in weights]
    for done, now in enumerate(gradients()):
        factors = step.factors(given, done + 1, rate_at(given, STEPS_PER_EPOCH, done, None))
        weights, slots = step.apply(jnp, weights, now, slots, factors)
    averages = [own[-1] for own in slots] if given.use_ema else weights
    return [np.asarray(w) for w in weights], [np.asarray(w) for w in averages]


def apart(a: tuple[Weights, Weights], b: tuple[Weights, Weights]) -> float:
    pairs = zip(a[0] + a[1], b[0] + b[1], strict=True)
    return max(float(np.max(np.abs(one - other))) for one, other in pairs)


@pytest.mark.parametrize("case", ALL)
def test_each_step_is_keras_s_and_a_wrong_rate_is_not(case: str) -> None:
    right = theirs(optimizer(ALL[case]))
    assert apart(ours(optimizer(ALL[case])), right) < TOLERANCE
    assert apart(ours(optimizer(slightly_wrong(ALL[case]))), right) > 3 * TOLERANCE


@pytest.mark.parametrize(
    ("case", "field", "value"),
    [
        ("clipped by norm", "clipnorm", 0.102),
        ("clipped by global norm", "global_clipnorm", 0.102),
        ("clipped by value", "clipvalue", 0.0204),
        ("weight decay", "weight_decay", 0.204),
        ("averaged", "ema_momentum", 0.802),
        ("averaged and overwritten", "ema_overwrite_frequency", 5),
        ("nadam", "beta_1", 0.902),
        ("adagrad", "initial_accumulator_value", 0.102),
        ("ftrl", "beta", 0.102),
        ("amsgrad", "amsgrad", False),
        ("centered", "centered", False),
    ],
)
def test_each_setting_matters(case: str, field: str, value: Any) -> None:
    right = theirs(optimizer(ALL[case]))
    assert apart(ours(optimizer(ALL[case] | {field: value})), right) > 3 * TOLERANCE


def test_the_vectors_that_the_browser_s_engine_is_held_to_are_keras_s() -> None:
    kept, right = json.loads(PATH.read_text()), vectors()
    assert {**kept, "cases": None} == {**right, "cases": None}
    assert list(kept["cases"]) == list(ALL)
    for name, case in kept["cases"].items():
        assert case["optimizer"] == ALL[name]
        for part in ("weights", "final"):
            for values, expected in zip(case[part], right["cases"][name][part], strict=True):
                np.testing.assert_allclose(values, expected, atol=1e-6)


def test_slots_carry_keras_s_names() -> None:
    for case, fields in RULES.items():
        given = optimizer(fields)
        own = keras_optimizer(given, 1)
        own.build([keras.Variable(np.ones(2, np.float32), name="w")])
        theirs = {v.name.removeprefix("w_") for v in own.variables} - {"iteration", "learning_rate"}
        # Nadam's product of momenta follows from the iteration: it has no name in Keras.
        assert set(step_of(given).slots) == {n for n in theirs if "variable" not in n}, case


losses = st.lists(st.sampled_from([1.0, 0.97, 0.9, 0.5, 0.45, 0.449, 0.1]), min_size=1, max_size=30)
plateaus = st.builds(
    Plateau,
    factor=st.sampled_from([0.1, 0.5, 0.9]),
    patience=st.integers(0, 3),
    min_delta=st.sampled_from([0.0, 1e-4, 0.06]),
    cooldown=st.integers(0, 3),
    min_lr=st.sampled_from([0.0, 0.02]),
)


@given(plateaus, losses)
def test_a_plateau_is_keras_s_after_every_epoch(schedule: Plateau, seen: list[float]) -> None:
    own = keras.optimizers.SGD(0.1)
    callback = keras_plateau(schedule, own)
    state: PlateauState | None = None
    for epoch, loss in enumerate(np.asarray(seen, np.float32).tolist()):
        callback.on_epoch_end(epoch, {"loss": loss})
        state = after_epoch(schedule, 0.1, state, loss)
        # What a checkpoint carries is all there is.
        state = PlateauState.read(state.numbers())
        assert state.rate == float(own.learning_rate)
        assert (state.wait, state.cooldown) == (callback.wait, callback.cooldown_counter)


def test_a_plateau_of_another_patience_is_noticed() -> None:
    schedule = Plateau.model_validate(PLATEAU)
    state = wrong = None
    for loss in [1.0] * 6:
        state = after_epoch(schedule, 0.1, state, loss)
        wrong = after_epoch(schedule.model_copy(update={"patience": 3}), 0.1, wrong, loss)
    assert state != wrong
