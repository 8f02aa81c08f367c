"""What a model's outputs are is seen through merges, pooling, wrappers and arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck_converter import read_model
from potluck_coordinator.services.input_scaling import scaled_by
from potluck_coordinator.services.model_ending import ending_of
from tests.support.keras_files import saved

L: Any = keras.layers
Compute = Callable[[Any], Any]


def dense(activation: str, units: int = 1) -> Any:
    return L.Dense(units, activation=activation)


def read(compute: Compute, shape: tuple[int, ...] = (4,)) -> tuple[Any, Any]:
    keras.utils.set_random_seed(1)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, compute(inputs))
    return model, read_model({"m.keras": saved(model, ".keras")})


def softmaxes(x: Any) -> Any:
    return L.Average()([dense("softmax", 3)(x), dense("softmax", 3)(x)])


ENDINGS: dict[str, tuple[Compute, str]] = {
    "plain": (dense("linear"), "linear"),
    "sigmoid": (dense("sigmoid"), "sigmoid"),
    "average": (lambda x: L.Average()([dense("sigmoid")(x), dense("sigmoid")(x)]), "sigmoid"),
    "product": (lambda x: dense("sigmoid")(x) * dense("sigmoid")(x), "sigmoid"),
    "the other side": (lambda x: 1.0 - dense("sigmoid")(x), "sigmoid"),
    "half": (lambda x: 0.5 * dense("sigmoid")(x), "sigmoid"),
    "softmaxes": (softmaxes, "softmax"),
    "behind dropout": (lambda x: L.Dropout(0.1)(dense("softmax", 3)(x)), "softmax"),
    "relu": (lambda x: L.ReLU()(L.Dense(1)(x)), "relu"),
    "leaky": (lambda x: L.LeakyReLU()(L.Dense(1)(x)), "linear"),
    "sum of linears": (lambda x: L.Dense(1)(x) + L.Dense(1)(x), "linear"),
    "residual": (lambda x: dense("sigmoid", 4)(x) + x, "linear"),
    "two sigmoids": (lambda x: dense("sigmoid")(x) + dense("sigmoid")(x), "linear"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_the_outputs_went_through_is_seen(name: str) -> None:
    compute, expected = ENDINGS[name]
    assert ending_of(read(compute)[1].graph).activation == expected


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: L.GlobalAveragePooling2D()(L.Conv2D(3, 1, activation="softmax")(x)),
        lambda x: L.Flatten()(L.AveragePooling2D(4)(L.Conv2D(3, 1, activation="softmax")(x))),
        lambda x: L.Flatten()(
            L.TimeDistributed(dense("softmax", 3))(L.Reshape((1, 48))(L.Flatten()(x)))
        ),
    ],
)
def test_probabilities_behind_pooling_and_wrappers_stay_probabilities(compute: Compute) -> None:
    assert ending_of(read(compute, (4, 4, 3))[1].graph).activation == "softmax"


numbers = st.floats(-4, 4, width=32).filter(lambda c: abs(c) > 0.05)
steps = st.lists(st.tuples(st.sampled_from("+*mxnao"), numbers), max_size=5)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["sigmoid", "tanh", "relu", "softplus", "elu", "silu"]), steps)
def test_outputs_lie_where_it_is_said(activation: str, chain: list[tuple[str, float]]) -> None:
    def compute(x: Any) -> Any:
        found, other = dense(activation, 2)(3 * x), dense("sigmoid", 2)(x)
        for kind, c in chain:
            found = {
                "+": lambda y, c: y + c,
                "*": lambda y, c: y * c,
                "n": lambda y, c: c - y,
                "m": lambda y, c: L.Maximum()([y, other * c]),
                "x": lambda y, c: y * (other * c),
                "a": lambda y, c: L.Average()([y, other * c]),
                "o": lambda y, c: y + other * c,
            }[kind](found, c)
        return found

    model, converted = read(compute)
    low, high = ending_of(converted.graph).reach
    rows = np.random.default_rng(2).normal(scale=9, size=(64, 4)).astype(np.float32)
    found = np.asarray(model(rows))
    slack = 1e-4 * (1 + np.abs(found).max())
    assert low - slack <= found.min()
    assert found.max() <= high + slack


def test_the_rating_of_a_recommender_lies_between_its_ends() -> None:
    _, converted = read(lambda x: dense("sigmoid")(x) * 4.0 + 1.0)
    assert ending_of(converted.graph).reach == (1.0, 5.0)
    assert ending_of(read(dense("linear"))[1].graph).reach == (-math.inf, math.inf)


SCALED: dict[str, tuple[Compute, bool]] = {
    "at once": (lambda x: dense("relu")(L.Rescaling(0.1)(x)), True),
    "flattened": (lambda x: dense("relu")(L.Rescaling(0.1)(L.Flatten()(x))), True),
    "contrast": (lambda x: L.Flatten()(L.Rescaling(0.1)(L.RandomContrast(0.1)(x))), True),
    "pooled": (lambda x: L.Flatten()(L.Rescaling(0.1)(L.AveragePooling2D(2)(x))), True),
    "each": (lambda x: L.Flatten()(L.TimeDistributed(L.Rescaling(0.1))(x)), True),
    "both": (lambda x: L.Add()([L.Rescaling(0.1)(x), L.Rescaling(0.2)(x)]), True),
    "beside": (lambda x: L.Rescaling(0.1)(x) + L.Conv2D(3, 1)(x), False),
    "joined": (lambda x: L.Conv2D(3, 1)(L.Concatenate()([x, L.Rescaling(0.1)(x)])), False),
    "later": (lambda x: L.Rescaling(0.1)(L.Conv2D(3, 1)(x)), False),
}


@pytest.mark.parametrize("name", SCALED)
def test_inputs_are_scaled_where_all_of_them_are_before_anything_else(name: str) -> None:
    compute, expected = SCALED[name]
    assert bool(scaled_by(read(compute, (4, 4, 3))[1])) == expected
