"""Optimizers against Keras 3's own, and a wrong rate that the same comparison finds."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from potluck.protocol.donor import Adam, RmsProp, Sgd
from potluck_coordinator.donor.rules import Optimizer, rule_of

TOLERANCE = 1e-4
STEPS = 12
CASES: list[tuple[Optimizer, Any]] = [
    (Sgd(learning_rate=0.1), keras.optimizers.SGD),
    (Sgd(learning_rate=0.1, momentum=0.9), keras.optimizers.SGD),
    (Sgd(learning_rate=0.1, momentum=0.9, nesterov=True), keras.optimizers.SGD),
    (Adam(learning_rate=0.01, beta_2=0.9, epsilon=1e-3), keras.optimizers.Adam),
    (RmsProp(learning_rate=0.01, rho=0.8, epsilon=1e-3), keras.optimizers.RMSprop),
    (RmsProp(learning_rate=0.01, momentum=0.5, epsilon=1e-3), keras.optimizers.RMSprop),
]


def gradients() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(STEPS, 5)).astype(np.float32)


def ours(optimizer: Optimizer) -> np.ndarray:
    rule = rule_of(optimizer)
    weight, slots = jnp.ones(5), [jnp.zeros(5) for _ in rule.slots]
    for iteration, gradient in enumerate(gradients(), 1):
        factors = tuple(np.float32(f) for f in rule.factors(optimizer, iteration))
        weight, slots = rule.apply(jnp, weight, jnp.asarray(gradient), slots, factors)
    return np.asarray(weight)


def theirs(optimizer: Optimizer, make: Any) -> np.ndarray:
    options = optimizer.model_dump(exclude={"name"})
    variable = keras.Variable(np.ones(5, np.float32))
    own = make(**options)
    for gradient in gradients():
        own.apply([jnp.asarray(gradient)], [variable])
    return np.asarray(variable.value)


@pytest.mark.parametrize(("optimizer", "make"), CASES, ids=lambda case: str(case)[:60])
def test_each_optimizer_is_keras_s(optimizer: Optimizer, make: Any) -> None:
    right = theirs(optimizer, make)
    assert np.max(np.abs(ours(optimizer) - right)) < TOLERANCE
    wrong = optimizer.model_copy(update={"learning_rate": optimizer.learning_rate * 1.02})
    assert np.max(np.abs(ours(wrong) - right)) > TOLERANCE
