"""Weights under the longer names that the official converter gives them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from potluck_converter import ConversionError, read_model
from potluck_converter.readers.tfjs_names import match
from potluck_converter.writers.tfjs import write_tfjs
from tests.support.keras_files import saved

ONE = (1,)


def nested() -> Any:
    base = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="dense")], name="base")
    inner = keras.Sequential([layers.Dense(4), layers.Dense(4)], name="inner")
    x = keras.Input((4,))
    return keras.Model(x, layers.Dense(2)(base(inner(x))))


def chain(*parts: Any, shape: tuple[int, ...] = (5, 4)) -> Callable[[], Any]:
    def make() -> Any:
        network = keras.Sequential([part() for part in parts])
        network.build((None, *shape))
        return network

    return make


def stack() -> list[Any]:
    return [layers.LSTMCell(3), layers.GRUCell(2), layers.LSTMCell(2)]


NETWORKS: dict[str, Callable[[], Any]] = {
    "nested": nested,
    "a model in a model": chain(
        lambda: keras.Sequential([layers.Dense(3), layers.BatchNormalization()]),
        lambda: layers.Dense(2),
        shape=(4,),
    ),
    "bidirectional": chain(lambda: layers.Bidirectional(layers.LSTM(3))),
    "twice": chain(
        lambda: layers.Bidirectional(layers.GRU(3, return_sequences=True)),
        lambda: layers.Bidirectional(layers.SimpleRNN(3)),
    ),
    "time distributed": chain(
        lambda: layers.TimeDistributed(layers.Dense(3)), lambda: layers.GRU(2)
    ),
    "a model over time": chain(
        lambda: layers.TimeDistributed(keras.Sequential([layers.Dense(3), layers.Dense(2)]))
    ),
    "stacked cells": chain(lambda: layers.RNN(stack())),
    "stacked cells twice": chain(lambda: layers.Bidirectional(layers.RNN(stack()))),
    "one cell": chain(lambda: layers.RNN(layers.LSTMCell(3))),
    "convolution over time": chain(lambda: layers.ConvLSTM2D(2, 3), shape=(3, 6, 6, 2)),
    "separable": chain(lambda: layers.SeparableConv1D(3, 2), layers.PReLU),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("ends", ["", ":0"])
def test_weights_are_found_under_keras_s_own_paths(name: str, ends: str) -> None:
    network = NETWORKS[name]()
    for place, variable in enumerate(network.weights):
        variable.assign(np.full(variable.shape, place / 8, np.float32))
    model = read_model({"m.h5": saved(network)})
    files = write_tfjs(model)
    head = json.loads(files["model.json"])
    [group] = head["weightsManifest"]
    ours = [spec["name"] for spec in group["weights"]]
    paths = dict(zip(model.weights, (one.path for one in network.weights), strict=True))
    for spec in group["weights"]:
        spec["name"] = paths[spec["name"]] + ends
    assert [spec["name"] for spec in group["weights"]] != ours
    again = read_model({**files, "model.json": json.dumps(head).encode()})
    for full, values in model.weights.items():
        np.testing.assert_array_equal(again.weights[full], values)


def test_names_that_lose_fewer_parts_go_first() -> None:
    stored = {"dense/kernel": ONE, "other/dense/kernel": ONE}
    assert match({"dense/kernel": ONE}, stored) == {"dense/kernel": "dense/kernel"}


def test_layers_of_one_name_in_two_models_are_told_apart() -> None:
    stored = {"m/a/dense/kernel": ONE, "m/b/dense/kernel": ONE}
    expected = {"dense/kernel": ONE, "b_dense/kernel": ONE}
    assert match(expected, stored) == {
        "b_dense/kernel": "m/b/dense/kernel",
        "dense/kernel": "m/a/dense/kernel",
    }


def test_nothing_is_guessed() -> None:
    two = {"a/dense/kernel": ONE, "b/dense/kernel": ONE}
    assert match({"dense/kernel": ONE}, two) == {}
    assert match({"dense/kernel": (2,)}, {"dense/kernel": ONE}) == {}
    assert match({"dense/kernel": ONE}, {"dense/bias": ONE, "dense_1/kernel": ONE}) == {}
    assert match({"dense/kernel": ONE}, {"/".join(["x"] * 50 + ["dense", "kernel"]): ONE}) == {}


def test_weights_of_another_model_are_refused_with_what_was_near() -> None:
    model = read_model({"m.h5": saved(NETWORKS["separable"]())})
    files = write_tfjs(model)
    text = files["model.json"].decode().replace("/alpha", "/beta")
    with pytest.raises(ConversionError) as refusal:
        read_model({**files, "model.json": text.encode()})
    assert refusal.value.code == "model.weights_mismatch"
