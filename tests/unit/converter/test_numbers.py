"""Numbers in files: of every precision, too large, or none at all."""

from __future__ import annotations

import json
import warnings
from typing import Any

import keras
import numpy as np
import pytest

from potluck_converter import ConversionError, Model, read_model, write_tfjs
from tests.unit.converter.hostile import DENSE, architecture, h5
from tests.unit.converter.oracles import L, chain, save_h5, weights_of
from tests.unit.converter.test_masks import save_zip

BROKEN = {
    "NaN": np.full((3, 2), np.nan, "float32"),
    "infinity": np.full((3, 2), np.inf, "float32"),
    "one infinity below": np.array([[0, 1], [2, -np.inf], [4, 5]], "float32"),
    "more than float32 holds": np.full((3, 2), 1e300, "float64"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_weights_that_are_no_numbers_are_told_with_their_layer(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = read_model({"m.h5": h5(kernel=BROKEN[name])})
    assert [note for note in model.warnings if "Weights of d are not finite" in note]
    again = read_model(write_tfjs(Model(model.graph, model.weights)))
    assert any("Weights of d are not finite" in note for note in again.warnings)


def test_weights_that_are_numbers_are_not_warned_of() -> None:
    largest = np.full((3, 2), np.finfo("float32").max, "float32")
    assert read_model({"m.h5": h5(kernel=largest)}).warnings == ()


@pytest.mark.parametrize("save", [save_h5, save_zip])
def test_bfloat16_weights_are_read_as_float32(save: Any) -> None:
    built = chain((4,), L.Dense(3, dtype="bfloat16", name="it"))()
    random = np.random.default_rng(3)
    for weight in built.weights:
        weight.assign(random.uniform(-2.0, 2.0, weight.shape))
    name = "m.h5" if save is save_h5 else "m.keras"
    model = read_model({name: save(built)})
    for full, value in weights_of(built).items():
        found = model.weights[full]
        assert found.dtype == np.float32
        assert np.array_equal(found, value.astype("float32"))
    assert any('"it" was bfloat16' in note for note in model.warnings)


def test_two_bytes_of_something_else_are_no_bfloat16() -> None:
    pair = np.zeros((3, 2), [("a", "u1"), ("b", "u1")])
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": h5(kernel=pair)})
    assert caught.value.code == "model.weights_mismatch"


def test_boolean_inputs_are_refused_by_name() -> None:
    x = keras.Input((4,), dtype="bool", name="it")
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": save_h5(keras.Model(x, L.Dense(2)(x)))})
    assert caught.value.where == "it.dtype"
    assert caught.value.got == "bool"


@pytest.mark.parametrize("digits", ["9" * 4000, "9" * 400, "-" + "9" * 40, "1e999", "-1e999"])
def test_numbers_in_an_architecture_are_bounded(digits: str) -> None:
    normal = ("LayerNormalization", {"epsilon": 123454321})
    text = json.dumps(architecture(normal)).replace("123454321", digits)
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": h5(text=text)})
    assert caught.value.code == "model.unreadable"
    assert caught.value.where == "model_config"


@pytest.mark.parametrize("digits", ["1e999", "Infinity", "NaN", "9" * 400])
def test_numbers_in_a_training_config_are_bounded(digits: str) -> None:
    optimizer = {"class_name": "Adam", "config": {"learning_rate": 123454321}}
    told = json.dumps({"loss": "mse", "metrics": [], "optimizer_config": optimizer})

    def change(file: Any) -> None:
        file.attrs["training_config"] = told.replace("123454321", digits)

    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": h5(DENSE, change=change)})
    assert (caught.value.code, caught.value.where) == ("model.unreadable", "training_config")
