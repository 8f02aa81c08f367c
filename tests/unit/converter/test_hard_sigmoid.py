"""The hard_sigmoid of Keras 2 and TF.js in Keras 3's files: equal predictions, or a word."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from potluck_converter import (
    ConversionError,
    Graph,
    Model,
    graph_from_json,
    graph_to_json,
    read_model,
    report,
    unwritable,
    write_keras_h5,
    write_keras_zip,
    write_tfjs,
)
from potluck_coordinator.scoring.network import build_network, weight_variables
from tests.unit.converter.oracles import L, chain, difference, predict, sample, saved

TOLERANCE = 1e-5
OLD = "hard_sigmoid_keras2"
HARD: Any = {"activation": "hard_sigmoid"}
GATES: Any = {"recurrent_activation": "hard_sigmoid"}
SERIES, IMAGE, FILM = (5, 3), (6, 6, 2), (3, 6, 6, 2)


def shared() -> Any:
    """Call a layer twice, read it twice, and give it as an output."""
    x = keras.Input((4,))
    dense = L.Dense(4, activation="hard_sigmoid", activity_regularizer="l2")
    once = dense(x)
    twice = dense(once)
    return keras.Model(x, [L.Add()([once, twice]), once, L.Activation("hard_sigmoid")(twice)])


def frames() -> Any:
    inner = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(2, 2, **HARD), L.Flatten()])
    return keras.Sequential([keras.Input(FILM), L.TimeDistributed(inner), L.GRU(2, **GATES)])


MASKED: Any = (L.Embedding(8, 3, mask_zero=True), L.LSTM(3, **GATES, return_sequences=True))
CASES: dict[str, Callable[[], Any]] = {
    "a layer of its own": chain((6,), L.Dense(4), L.Activation("hard_sigmoid"), L.Dense(2)),
    "dense": chain((6,), L.Dense(4, **HARD), L.Dense(3, use_bias=False, **HARD)),
    "einsum": chain(SERIES, L.EinsumDense("abc,cd->abd", (None, 2), bias_axes="d", **HARD)),
    "convolutions": chain(
        IMAGE,
        L.Conv2D(3, 2, **HARD),
        L.DepthwiseConv2D(2, use_bias=False, **HARD),
        L.SeparableConv2D(2, 2, **HARD),
        L.Conv2DTranspose(2, 2, **HARD),
    ),
    "called twice": shared,
    "simple rnn": chain(SERIES, L.SimpleRNN(3, **HARD)),
    "lstm": chain(
        SERIES, L.LSTM(3, return_sequences=True, **GATES), L.LSTM(2, use_bias=False, **GATES)
    ),
    "gru": chain(SERIES, L.GRU(3, return_sequences=True, **GATES, **HARD), L.GRU(2, **GATES)),
    "gru of old": chain(SERIES, L.GRU(3, reset_after=False, **GATES, **HARD)),
    "conv lstm": chain(FILM, L.ConvLSTM2D(2, 2, **GATES)),
    "one cell": chain(SERIES, L.RNN(L.LSTMCell(3, **GATES))),
    "stacked cells": chain(
        SERIES, L.RNN([L.LSTMCell(3, **GATES), L.GRUCell(2), L.SimpleRNNCell(2, **HARD)])
    ),
    "both ways": chain(SERIES, L.Bidirectional(L.LSTM(3, **GATES))),
    "two ways": chain(
        SERIES, L.Bidirectional(L.LSTM(3), backward_layer=L.GRU(3, go_backwards=True, **GATES))
    ),
    "each step": chain(SERIES, L.TimeDistributed(L.Dense(4, **HARD)), L.Flatten()),
    "frames": frames,
    "masks": chain((6,), *MASKED, L.Activation("hard_sigmoid"), L.LSTM(2), dtype="int32"),
}


def in_words(graph: Graph, before: str, after: str) -> Graph:
    """Say another activation wherever a graph says one."""

    def said(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: said(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [said(item) for item in value]
        return after if value == before else value

    return graph_from_json(said(graph_to_json(graph)))


def in_old_words(network: Any) -> Model:
    model = read_model({"m.h5": saved(network).content})
    return replace(model, graph=in_words(model.graph, "hard_sigmoid", OLD))


def computed(graph: Graph, model: Model, inputs: list[Any]) -> list[Any]:
    """Predict with the network that scores, which computes clip(0.2x + 0.5, 0, 1) as it stands."""
    network = build_network(graph)
    for full, variable in weight_variables(network, graph).items():
        variable.assign(model.weights[full])
    return predict(network, inputs)


def opened(model: Model) -> Iterator[Any]:
    for ending, write in (("keras", write_keras_zip), ("h5", write_keras_h5)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"m.{ending}"
            path.write_bytes(write(model))
            yield keras.models.load_model(path)


@pytest.mark.parametrize("name", CASES)
def test_keras_3_predicts_what_keras_2_would(name: str) -> None:
    network = CASES[name]()
    model = in_old_words(network)
    inputs = [sample(tensor, np.random.default_rng(4)) for tensor in network.inputs]
    inputs = [3 * x if x.dtype == np.float32 else x for x in inputs]
    expected = computed(model.graph, model, inputs)
    for found in opened(model):
        assert difference(predict(found, inputs), expected) < TOLERANCE
        assert len(found.trainable_weights) == len(network.trainable_weights)
    # Keras 3's own, of the same weights, is another function.
    new = in_words(model.graph, OLD, "hard_sigmoid")
    assert difference(computed(new, model, inputs), expected) > 10 * TOLERANCE
    assert unwritable(model.graph) == {}


def test_a_name_is_no_activation() -> None:
    network = keras.Sequential(
        [keras.Input(SERIES), L.TimeDistributed(L.Dense(2, activation="tanh", name=OLD), name="td")]
    )
    model = read_model({"m.keras": _zipped(network)})
    assert read_model({"m.keras": write_keras_zip(model)}).graph == model.graph


def _zipped(network: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder) / "m.keras")
        return (Path(folder) / "m.keras").read_bytes()


def test_what_was_written_for_tfjs_comes_back_for_keras() -> None:
    network = CASES["lstm"]()
    model = in_old_words(network)
    again = read_model(write_tfjs(model))
    assert again.graph.layers[1].config["recurrent_activation"] == OLD
    x = [sample(tensor, np.random.default_rng(4)) for tensor in network.inputs]
    for found in opened(again):
        assert difference(predict(found, x), computed(model.graph, model, x)) < TOLERANCE


def test_gates_that_are_written_larger_are_said_before() -> None:
    model = in_old_words(CASES["lstm"]())
    told = [warning for warning in report(model)["warnings"] if "1.2 times" in warning]
    assert len(told) == 1
    assert "lstm" in told[0]
    assert not any("1.2 times" in w for w in report(in_old_words(CASES["dense"]()))["warnings"])


@pytest.mark.parametrize(
    "layer",
    [L.LSTM(2, **HARD), L.ConvLSTM2D(2, 2, **HARD), L.Bidirectional(L.LSTM(2, **HARD))],
    ids=["LSTM", "ConvLSTM2D", "Bidirectional"],
)
def test_what_keras_3_cannot_compute_is_said_with_the_layer_before_training(layer: Any) -> None:
    shape = FILM if isinstance(layer, L.ConvLSTM2D) else SERIES
    model = in_old_words(keras.Sequential([keras.Input(shape), layer]))
    name = model.graph.layers[1].name
    for write in (write_keras_zip, write_keras_h5):
        with pytest.raises(ConversionError, match=name) as caught:
            write(model)
        assert "TF.js" in caught.value.hint
    assert list(unwritable(model.graph)) == ["keras", "h5"]
    found = report(model)
    assert set(found["unwritable"]) == {"keras", "h5"}
    assert any("Only TF.js files" in w and name in w for w in found["warnings"])
    assert write_tfjs(model)


HELD = {
    "fitted": lambda: chain(SERIES, L.Normalization()),
    "fitted on each step": lambda: chain(SERIES, L.TimeDistributed(L.Normalization())),
    "fitted in a model": lambda: chain(
        SERIES,
        L.TimeDistributed(keras.Sequential([keras.Input((3,)), L.Normalization(), L.Dense(2)])),
    ),
    "several axes": lambda: chain(SERIES, L.LayerNormalization(axis=[1, 2])),
    "softmax over axes": lambda: chain(SERIES, L.Softmax(axis=(1, 2))),
    "root mean squares": lambda: chain(SERIES, L.RMSNormalization(axis=[1, 2])),
}


@pytest.mark.parametrize("name", HELD)
def test_what_a_h5_loses_is_said_before_and_named_with_what_works(name: str) -> None:
    model = read_model({"m.keras": _zipped(HELD[name]()())})
    layer = model.graph.layers[1].name
    [(form, why)] = unwritable(model.graph).items()
    assert form == "h5"
    assert layer in why
    assert any(why in warning and ".keras" in warning for warning in report(model)["warnings"])
    with pytest.raises(ConversionError, match="cannot hold") as caught:
        write_keras_h5(model)
    assert ".keras" in caught.value.hint
    assert write_keras_zip(model)
    assert write_tfjs(model)
