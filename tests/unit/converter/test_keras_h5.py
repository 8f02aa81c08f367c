from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from potluck_converter import (
    infer_shapes,
    initial_weights,
    read_model,
    trainable_weights,
    weight_shapes,
    write_keras_h5,
)
from tests.unit.converter import oracles
from tests.unit.converter.hostile import h5
from tests.unit.converter.oracles import CASES, KERAS2, difference, load_h5, predict

TOLERANCE = 1e-5


@pytest.mark.parametrize("name", CASES)
def test_a_keras_3_file_is_read_as_keras_saved_it(name: str) -> None:
    oracle = oracles.oracle(name)
    model = read_model({"m.h5": oracle.content})
    assert model.source == "Keras 3 .h5"
    assert model.weights.keys() == oracle.weights.keys()
    for weight, value in oracle.weights.items():
        assert np.array_equal(model.weights[weight], value)
    shapes = infer_shapes(model.graph)
    assert {layer: shapes[layer] for layer in oracle.shapes} == oracle.shapes
    assert weight_shapes(model.graph) == {n: w.shape for n, w in oracle.weights.items()}


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_keras_opens_with_the_same_weights_and_predictions(name: str) -> None:
    oracle = oracles.oracle(name)
    written = load_h5(write_keras_h5(read_model({"m.h5": oracle.content})))
    again = oracles.weights_of(written)
    assert again.keys() == oracle.weights.keys()
    assert all(np.array_equal(again[weight], oracle.weights[weight]) for weight in again)
    assert difference(predict(written, oracle.inputs), oracle.outputs) <= TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_which_weights_train_is_what_keras_says(name: str) -> None:
    oracle = oracles.oracle(name)
    assert trainable_weights(read_model({"m.h5": oracle.content}).graph) == oracle.trainable


@pytest.mark.parametrize("name", KERAS2)
def test_a_keras_2_file_predicts_in_keras_3_as_it_did_in_keras_2(name: str) -> None:
    oracle = oracles.keras2(name)
    model = read_model({"m.h5": oracle.content})
    assert model.source == "Keras 2 .h5"
    written = load_h5(write_keras_h5(model))
    assert difference(predict(written, oracle.inputs), oracle.outputs) <= TOLERANCE


@pytest.mark.parametrize("name", KERAS2)
def test_other_weights_would_not_pass_for_those_of_the_file(name: str) -> None:
    oracle = oracles.keras2(name)
    written = load_h5(write_keras_h5(read_model({"m.h5": oracle.content})))
    kernel = next(w for w in written.weights if w.name == "kernel" and w.shape[-1] > 1)
    kernel.assign(np.asarray(kernel) * 1.01)
    assert difference(predict(written, oracle.inputs), oracle.outputs) > TOLERANCE


def test_the_training_configuration_is_kept_aside() -> None:
    model = read_model({"m.h5": oracles.keras2("cnn").content})
    assert model.training_config is not None
    assert model.training_config["loss"] == "sparse_categorical_crossentropy"


def test_a_layer_whose_name_holds_a_slash_is_renamed_with_a_note() -> None:
    model = read_model({"m.h5": oracles.keras2("slashed").content})
    assert "block_dense/kernel" in model.weights
    assert any("block/dense" in warning for warning in model.warnings)


def test_a_sequential_without_an_input_layer_gets_one() -> None:
    dense = {"name": "d", "units": 2, "batch_input_shape": [None, 3], "dtype": "float32"}
    for config in (
        [{"class_name": "Dense", "config": dense}],  # Keras before 2.2.3
        {"name": "s", "layers": [{"class_name": "Dense", "config": dense}]},
        {
            "name": "s",
            "layers": [{"class_name": "Dense", "config": {"name": "d", "units": 2}}],
            "build_input_shape": [None, 3],
        },
    ):
        model = read_model({"m.h5": h5({"class_name": "Sequential", "config": config})})
        assert infer_shapes(model.graph) == {"d_input": (3,), "d": (2,)}


def test_importing_the_converter_brings_in_no_framework() -> None:
    program = (
        "import sys, potluck_converter; "
        "print([m for m in ('keras', 'tensorflow', 'jax', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_many_layers_pass_the_attribute_limit_of_hdf5() -> None:
    wide = "a_rather_long_layer_name_that_fills_the_header_" * 3
    names = [f"{wide}{i}" for i in range(600)]
    model = oracles.chain((2,), *(oracles.L.Activation("tanh", name=name) for name in names))()
    read = read_model({"m.h5": oracles.save_h5(model)})
    again = read_model({"m.h5": write_keras_h5(read)})
    assert [layer.name for layer in again.graph.layers][1:] == names
    assert again.graph == read.graph
    assert initial_weights(again.graph, 1) == {}
