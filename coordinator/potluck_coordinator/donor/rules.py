"""Keras 3's optimizers as functions of one weight, with slots under Keras's names.

The numbers that are the same for all weights of a step (`factors`) are computed in double
precision outside of the compiled step, as the browser's engine does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from potluck.protocol.donor import Adam, RmsProp, Sgd

Optimizer = Sgd | Adam | RmsProp
Array = Any
Update = tuple[Array, list[Array]]
"""The new weight, and its new slots in the order of the rule's names."""


@dataclass(frozen=True)
class Rule:
    """One kind of optimizer: what `apply` does depends on nothing but its arguments.

    `factors(optimizer, iteration)`: numbers of one step, counted from 1.
    `apply(jnp, weight, gradient, slots, factors)`: one weight's step.
    """

    slots: tuple[str, ...]
    factors: Callable[[Any, int], tuple[float, ...]]
    apply: Callable[[Any, Array, Array, Sequence[Array], Sequence[Array]], Update]


def kind_of(optimizer: Optimizer) -> tuple[object, ...]:
    """Give what decides an optimizer's compiled step; all its other numbers are arguments."""
    match optimizer:
        case Adam():
            return ("adam",)
        case RmsProp():
            return ("rmsprop", optimizer.momentum != 0.0)
    return ("sgd", optimizer.momentum != 0.0, optimizer.nesterov)


def rule_of(optimizer: Optimizer) -> Rule:
    """Give the rule for an optimizer as the wire describes it."""
    match optimizer:
        case Adam():
            return Rule(("momentum", "velocity"), _adam_factors, _adam)
        case RmsProp() if optimizer.momentum == 0.0:
            return Rule(("velocity",), _rmsprop_factors, _rmsprop)
        case RmsProp():
            return Rule(("velocity", "momentum"), _rmsprop_factors, _rmsprop_with_momentum)
    if optimizer.momentum == 0.0:
        return Rule((), _sgd_factors, _sgd)
    return Rule(("momentum",), _sgd_factors, _nesterov if optimizer.nesterov else _momentum)


def _sgd_factors(optimizer: Sgd, iteration: int) -> tuple[float, ...]:
    del iteration
    return optimizer.learning_rate, optimizer.momentum


def _sgd(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Sequence[Array]) -> Update:
    del jnp, slots
    return w - g * factors[0], []


def _momentum(
    jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Sequence[Array]
) -> Update:
    del jnp
    moved = slots[0] * factors[1] - g * factors[0]
    return w + moved, [moved]


def _nesterov(
    jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Sequence[Array]
) -> Update:
    del jnp
    scaled = g * factors[0]
    moved = slots[0] * factors[1] - scaled
    return w + (moved * factors[1] - scaled), [moved]


def _adam_factors(optimizer: Adam, iteration: int) -> tuple[float, ...]:
    one, two = optimizer.beta_1, optimizer.beta_2
    rate = optimizer.learning_rate * (1 - two**iteration) ** 0.5 / (1 - one**iteration)
    return rate, 1 - one, 1 - two, optimizer.epsilon


def _adam(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Sequence[Array]) -> Update:
    rate, one, two, epsilon = factors
    m, v = slots
    m = m + (g - m) * one
    v = v + (g * g - v) * two
    return w - m * rate / (jnp.sqrt(v) + epsilon), [m, v]


def _rmsprop_factors(optimizer: RmsProp, iteration: int) -> tuple[float, ...]:
    del iteration
    rho = optimizer.rho
    return optimizer.learning_rate, rho, 1 - rho, optimizer.epsilon, optimizer.momentum


def _rmsprop(
    jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Sequence[Array]
) -> Update:
    rate, rho, rest, epsilon, _ = factors
    velocity = slots[0] * rho + g * g * rest
    return w - g * rate / jnp.sqrt(velocity + epsilon), [velocity]


def _rmsprop_with_momentum(
    jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Sequence[Array]
) -> Update:
    rate, rho, rest, epsilon, momentum = factors
    velocity = slots[0] * rho + g * g * rest
    moved = slots[1] * momentum + g * rate / jnp.sqrt(velocity + epsilon)
    return w - moved, [velocity, moved]
