"""Keras 3's update of one weight, for each of its optimizers; slots carry Keras's names.

The numbers that are the same for all weights of a step (`factors`) are computed in double
precision outside of the compiled step, as the browser's engine does. Epsilon is where Keras has
it: outside the root in Adam, inside in RMSprop, Adagrad and Adadelta.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from potluck.protocol.optimizers import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AnyOptimizer,
    Ftrl,
    Lion,
    Nadam,
    RmsProp,
    Sgd,
)
from potluck_coordinator.training.optimizers.factors import (
    adam_factors,
    adamax_factors,
    ftrl_factors,
    nadam_factors,
)

Array = Any
Factors = Sequence[Any]
Update = tuple[Array, list[Array]]
"""The new weight, and its new slots in the order of the rule's names."""
Apply = Callable[[Any, Array, Array, Sequence[Array], Factors], Update]


@dataclass(frozen=True)
class Rule:
    """One kind of update: what `apply` does depends on nothing but its arguments.

    `factors(optimizer, iteration, rate)`: numbers of one step, counted from 1.
    `apply(jnp, weight, gradient, slots, factors)`: one weight's step.
    """

    slots: tuple[str, ...]
    factors: Callable[[Any, int, float], tuple[float, ...]]
    apply: Apply


def rule_of(optimizer: AnyOptimizer) -> Rule:
    """Give the update of an optimizer as the wire describes it."""
    match optimizer:
        case Sgd():
            moving = optimizer.momentum != 0.0
            apply: Apply = (_nesterov if optimizer.nesterov else _momentum) if moving else _sgd
            return Rule(("momentum",) * moving, lambda o, _, rate: (rate, o.momentum), apply)
        case Adam() | AdamW():
            names = ("momentum", "velocity") + ("velocity_hat",) * optimizer.amsgrad
            return Rule(names, adam_factors, _adam)
        case Adamax():
            return Rule(("momentum", "norm"), adamax_factors, _adamax)
        case Nadam():
            return Rule(("momentum", "velocity"), nadam_factors, _nadam)
        case RmsProp():
            return _rmsprop_rule(optimizer.momentum != 0.0, optimizer.centered)
        case Adagrad():
            return Rule(("accumulator",), lambda o, _, rate: (rate, o.epsilon), _adagrad)
        case Adadelta():
            names = ("accumulated_grad", "accumulated_delta_var")
            return Rule(names, lambda o, _, rate: (rate, o.rho, 1 - o.rho, o.epsilon), _adadelta)
        case Lion():
            return Rule(("momentum",), _lion_factors, _lion)
        case Ftrl():
            rooted = optimizer.learning_rate_power == -0.5
            power_of = _square_root if rooted else _power
            return Rule(("accumulator", "linear"), ftrl_factors, _ftrl(power_of))


def _sgd(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    del jnp, slots
    return w - g * factors[0], []


def _momentum(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    del jnp
    moved = slots[0] * factors[1] - g * factors[0]
    return w + moved, [moved]


def _nesterov(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    del jnp
    scaled = g * factors[0]
    moved = slots[0] * factors[1] - scaled
    return w + (moved * factors[1] - scaled), [moved]


def _adam(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    rate, one, two, epsilon = factors
    m, v, *largest = slots
    m = m + (g - m) * one
    v = v + (g * g - v) * two
    largest = [jnp.maximum(own, v) for own in largest]
    return w - m * rate / (jnp.sqrt(largest[0] if largest else v) + epsilon), [m, v, *largest]


def _adamax(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    rate, one, beta_2, epsilon = factors
    m, u = slots
    m = m + (g - m) * one
    u = jnp.maximum(beta_2 * u, jnp.abs(g))
    return w - m * rate / (u + epsilon), [m, u]


def _nadam(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    of_m, of_g, of_v, one, two, epsilon = factors
    m, v = slots
    m = m + (g - m) * one
    v = v + (g * g - v) * two
    return w - (m * of_m + g * of_g) / (jnp.sqrt(v * of_v) + epsilon), [m, v]


def _rmsprop_rule(moving: bool, centered: bool) -> Rule:
    def factors(optimizer: RmsProp, iteration: int, rate: float) -> tuple[float, ...]:
        del iteration
        return rate, optimizer.rho, 1 - optimizer.rho, optimizer.epsilon, optimizer.momentum

    def apply(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
        rate, rho, rest, epsilon, momentum = factors
        velocity = slots[0] * rho + g * g * rest
        made, below = [velocity], velocity + epsilon
        if centered:
            average = slots[-1] * rho + g * rest
            below = velocity - average * average + epsilon
        move = g * rate / jnp.sqrt(below)
        if moving:
            move = slots[1] * momentum + move
            made.append(move)
        return w - move, [*made, average] if centered else made

    names = ("velocity",) + ("momentum",) * moving + ("average_gradient",) * centered
    return Rule(names, factors, apply)


def _adagrad(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    rate, epsilon = factors
    total = slots[0] + g * g
    return w - g * rate / jnp.sqrt(total + epsilon), [total]


def _adadelta(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    rate, rho, rest, epsilon = factors
    grads, deltas = slots
    grads = grads * rho + g * g * rest
    delta = jnp.sqrt(deltas + epsilon) * g / jnp.sqrt(grads + epsilon)
    return w - delta * rate, [grads, deltas * rho + delta * delta * rest]


def _lion_factors(optimizer: Lion, iteration: int, rate: float) -> tuple[float, ...]:
    del iteration
    one, two = optimizer.beta_1, optimizer.beta_2
    return rate, one, 1 - one, two, 1 - two


def _lion(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
    rate, one, rest_1, two, rest_2 = factors
    m = slots[0]
    return w - jnp.sign(m * one + g * rest_1) * rate, [m * two + g * rest_2]


def _square_root(jnp: Any, x: Array, power: Array) -> Array:
    del power
    return jnp.sqrt(x)


def _power(jnp: Any, x: Array, power: Array) -> Array:
    return jnp.power(x, power)


def _ftrl(power_of: Callable[[Any, Array, Any], Array]) -> Apply:
    def apply(jnp: Any, w: Array, g: Array, slots: Sequence[Array], factors: Factors) -> Update:
        rate, power, l1, twice_l2, shrinkage = factors
        old, linear = slots
        new = old + g * g
        raised = power_of(jnp, new, power)
        before = power_of(jnp, old, power)
        linear = linear + (g + w * shrinkage - (raised - before) / rate * w)
        clipped = jnp.clip(linear, -l1, l1)
        return (clipped - linear) / (raised / rate + twice_l2), [new, linear]

    return apply
