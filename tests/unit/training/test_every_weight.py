"""A headless donor's state of every kind of layer with weights: float32, and scoring takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from potluck_converter import initial_weights, read_model, weight_shapes
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import LayerKind
from potluck_coordinator.core.errors import BadResult
from potluck_coordinator.scoring.network import build_network, weight_variables
from potluck_coordinator.training.checkpoint import (
    State,
    read_checkpoint,
    write_checkpoint,
    write_tensors,
)
from tests.support.checkpoints import checked
from tests.support.every_kind import NETWORKS
from tests.support.keras_files import saved
from tests.support.small_units import ROWS, SmallUnit, networks, small_unit, stacked

k = keras.layers
MOST_BYTES = 1 << 24
COUNT = 250
"""What an adapted layer of Keras 2 has counted; Keras 3 leaves it at 0."""


def adapted(shape: tuple[int, ...], **options: Any) -> Any:
    """Make a Normalization that was fitted to numbers far from 0 and 1."""
    layer = k.Normalization(**options)
    layer.adapt(np.random.default_rng(1).normal(3.0, 2.0, (40, *shape)).astype(np.float32))
    layer.count.assign(COUNT)
    return layer


def per_step() -> Any:
    return keras.Sequential([keras.Input((4,)), adapted((4,)), k.Dense(3)])


FITTED: dict[str, Callable[[], Any]] = {
    "fitted": lambda: stacked((6,), adapted((6,)), k.Dense(4)),
    "fitted over several axes": lambda: stacked((3, 4), adapted((3, 4), axis=(1, 2))),
    "fitted as a whole": lambda: stacked((3, 4), adapted((3, 4), axis=None)),
    "fitted, on each step": lambda: stacked((3, 4), k.TimeDistributed(adapted((4,)))),
    "fitted, in a model on each step": lambda: stacked((3, 4), k.TimeDistributed(per_step())),
}
ALL: dict[str, Callable[[], Any]] = {**NETWORKS, **networks(), **FITTED}


@cache
def unit(name: str) -> SmallUnit:
    return small_unit(ALL[name]())


def accepted(given: SmallUnit, state: State) -> dict[str, Any]:
    shapes = weight_shapes(given.model.graph)
    return checked(write_checkpoint(state), shapes, MOST_BYTES, step=state.step)


def traced(given: SmallUnit) -> State:
    """Give the state after a step with its true shapes and types but zeros: nothing is compiled."""
    training = given.open()
    compiled = training._compiled

    def step(state: Any, batch: Any) -> Any:
        made = jax.eval_shape(compiled.step, state, batch)
        return jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), made)

    training._compiled = replace(compiled, step=step)
    training.advance()
    return training.state()


@pytest.mark.parametrize("name", ALL)
def test_scoring_takes_what_a_headless_donor_hands_in(name: str) -> None:
    given = unit(name)
    found = accepted(given, traced(given))
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", FITTED)
def test_what_is_no_float_in_keras_goes_through_training_unchanged(name: str) -> None:
    given = unit(name)
    whole = write_checkpoint(given.train(4))
    training = given.open(write_checkpoint(given.train(2)))
    while training.step < 4:
        training.advance()
    assert write_checkpoint(training.state()) == whole
    counts = {key: v for key, v in accepted(given, training.state()).items() if "count" in key}
    assert [float(count) for count in counts.values()] == [COUNT]


@pytest.mark.parametrize("name", FITTED)
def test_new_statistics_reach_the_network_that_scores(name: str) -> None:
    network = ALL[name]()
    model = read_model({"m.keras": saved(network, ".keras")})
    built = build_network(model.graph)
    x = np.random.default_rng(2).normal(3.0, 2.0, (5, *network.input_shape[1:])).astype(np.float32)
    drawn = initial_weights(model.graph, 3)
    for weights, same in ((model.weights, True), (drawn, False)):
        for full, variable in weight_variables(built, model.graph).items():
            variable.assign(weights[full])
        differ = float(np.abs(np.asarray(built(x)) - np.asarray(network(x))).max())
        assert (differ < 1e-5) is same


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_other_number_types_are_handed_in_as_float32(policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layers = (adapted((6,)), k.Dense(4), k.BatchNormalization())
        network = keras.Sequential([keras.Input((6,)), *layers, k.Dense(3, activation="softmax")])
    finally:
        keras.config.set_dtype_policy(before)
    model = read_model({"m.keras": saved(network, ".keras")})
    draw = np.random.default_rng(8)
    x, y = draw.normal(size=(ROWS, 6)).astype(np.float32), draw.integers(0, 3, ROWS)
    given = SmallUnit(model, {"x": x, "y": y.astype(np.int32)})
    accepted(given, traced(given))


def test_an_integer_among_the_weights_would_be_refused_and_is_never_written() -> None:
    given = unit("fitted")
    state = given.open().state()
    whole = {name: values.astype(np.int32) for name, values in state.weights.items()}
    written = write_checkpoint(State(whole, state.epoch, state.step))
    assert {v.dtype for v in read_checkpoint(written).weights.values()} == {np.dtype("<f4")}
    tensors = {f"weights/{name}": values for name, values in whole.items()}
    spoiled = write_tensors(tensors, {"format": "potluck.checkpoint.v1", "step": "0"})
    with pytest.raises(BadResult) as caught:
        checked(spoiled, weight_shapes(given.model.graph), MOST_BYTES, step=0)
    assert caught.value.code == "result.dtype"


def test_every_kind_with_weights_is_tried() -> None:
    tried = {layer.class_name for name in ALL for layer in unit(name).model.graph.layers}
    weighty = {name for name, kind in TABLE.items() if type(kind).weights is not LayerKind.weights}
    assert tried >= weighty
