"""Words in files that change nothing, and words of Keras 2 and Keras 3 for what is not a layer."""

from __future__ import annotations

import json
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from potluck_converter import ConversionError, read_model, trainable_weights
from tests.unit.converter.hostile import DENSE, h5
from tests.unit.converter.oracles import L, chain, save_h5
from tests.unit.converter.test_masks import save_zip


@pytest.mark.parametrize(
    "layer",
    [
        L.Dropout(0.5, seed=7, name="it"),
        L.GaussianNoise(0.5, seed=7, name="it"),
        L.SpatialDropout1D(0.5, seed=7, name="it"),
        L.LSTM(2, dropout=0.5, seed=7, name="it"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_stored_seed_is_left_out(layer: Any) -> None:
    graph = read_model({"m.h5": save_h5(chain((4, 3), layer)())}).graph
    assert "seed" not in graph.layer("it").config


def dense(**extra: Any) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(DENSE))
    changed["config"]["layers"][-1]["config"].update(extra)
    return changed


@pytest.mark.parametrize(
    "extra",
    [
        {"quantization_config": None},
        {"lora_rank": None, "lora_alpha": None},
        {"dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}}},
    ],
)
def test_options_that_say_nothing_change_nothing(extra: dict[str, Any]) -> None:
    assert read_model({"m.h5": h5(dense(**extra))}).graph == read_model({"m.h5": h5()}).graph


@pytest.mark.parametrize("extra", [{"lora_rank": 4}, {"quantization_config": {"mode": "int8"}}])
def test_options_that_change_the_weights_are_refused_by_name(extra: dict[str, Any]) -> None:
    [key] = extra
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": h5(dense(**extra))})
    assert caught.value.where == f"d.{key}"


def test_a_shared_object_id_is_left_out() -> None:
    initializer = {"class_name": "GlorotUniform", "config": {"seed": None}}
    noted = read_model(
        {"m.h5": h5(dense(kernel_initializer={**initializer, "shared_object_id": 3}))}
    )
    plain = read_model({"m.h5": h5(dense(kernel_initializer=initializer))})
    assert noted.graph == plain.graph


def keras2_graph(class_name: str, config: dict[str, Any]) -> bytes:
    """Make a file of Keras 2 with a bare operation behind a layer."""
    entries = [
        ("InputLayer", "x", {"batch_input_shape": [None, 3]}, []),
        ("Dense", "d", DENSE["config"]["layers"][-1]["config"], [[["x", 0, 0, {}]]]),
        (class_name, "op", config, [["d", 0, 0, {"y": 2.0}]]),
    ]
    layers = [
        {"class_name": c, "name": n, "config": {**own, "name": n}, "inbound_nodes": nodes}
        for c, n, own, nodes in entries
    ]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["op", 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}

    def change(file: h5py.File) -> None:
        file.attrs["keras_version"] = "2.15.0"

    return h5(config, change=change)


@pytest.mark.parametrize(
    ("class_name", "config", "named"),
    [
        ("TFOpLambda", {"function": "math.floormod"}, "math.floormod"),
        ("SlicingOpLambda", {"function": "__operators__.getitem"}, "__operators__.getitem"),
        ("TensorFlowOpLayer", {"node_def": "..."}, "TensorFlowOpLayer"),
    ],
)
def test_bare_operations_of_keras_2_are_refused_by_name(
    class_name: str, config: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": keras2_graph(class_name, config)})
    assert (caught.value.code, caught.value.where) == ("model.unsupported_layer", "op")
    assert named in caught.value.message
    assert caught.value.hint


def test_dicts_of_inputs_and_outputs_are_read_in_the_models_order() -> None:
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    outputs = {"x": L.Add(name="sum")([a, b]), "y": L.Dense(2, name="small")(a)}
    built = keras.Model({"a": a, "b": b}, outputs)
    for name, content in (("m.h5", save_h5(built)), ("m.keras", save_zip(built))):
        graph = read_model({name: content}).graph
        assert [ref.layer for ref in graph.inputs] == ["a", "b"]
        assert [ref.layer for ref in graph.outputs] == ["sum", "small"]


def test_a_frozen_bidirectional_trains_nothing() -> None:
    layer = L.Bidirectional(L.LSTM(2), name="it")
    built = keras.Sequential([keras.Input((4, 3)), layer, L.Dense(1, name="end")])
    layer.trainable = False
    for name, content in (("m.h5", save_h5(built)), ("m.keras", save_zip(built))):
        model = read_model({name: content})
        assert trainable_weights(model.graph) == {"end/kernel", "end/bias"}
        assert sum(np.asarray(w).size for w in model.weights.values()) == built.count_params()


def test_two_outputs_of_a_bidirectional_are_refused_by_its_option() -> None:
    x = keras.Input((4, 3))
    y = L.Bidirectional(L.LSTM(2), merge_mode=None, name="it")(x)
    for outputs in (y, L.Concatenate()(y), y[0]):
        built = keras.Model(x, outputs)
        for name, content in (("m.h5", save_h5(built)), ("m.keras", save_zip(built))):
            with pytest.raises(ConversionError) as caught:
                read_model({name: content})
            error = caught.value
            assert (error.code, error.where) == ("model.unsupported_option", "it.merge_mode")
            assert error.hint
