from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from potluck_converter import Model, read_model, write_keras_h5, write_keras_zip, write_tfjs
from potluck_converter.readers.keras_h5 import STATE_LEFT_OUT
from potluck_converter.training_config import for_h5
from tests.support.waiting import PATIENCE_S
from tests.unit.converter.oracles import L, chain
from tests.unit.converter.test_tfjs_parity import NODE_MODULES

WRITERS = {"h5": write_keras_h5, "keras": write_keras_zip}


def saved(ending: str, optimizer: Any = None, loss: Any = "mse", metrics: Any = ("mae",)) -> bytes:
    model = chain((3,), L.Dense(3), L.BatchNormalization(), L.Dense(3))()
    model.compile(optimizer or keras.optimizers.Adam(0.25), loss=loss, metrics=list(metrics))
    model.fit(np.arange(12.0).reshape((4, 3)), np.ones((4, 3)), verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{ending}"
        model.save(path)
        return path.read_bytes()


def opened(content: bytes, ending: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{ending}"
        path.write_bytes(content)
        return keras.models.load_model(path)


@pytest.mark.parametrize("source", WRITERS)
@pytest.mark.parametrize("target", WRITERS)
def test_loss_metrics_and_optimizer_are_carried(source: str, target: str) -> None:
    model = read_model({f"m.{source}": saved(source)})
    network = opened(WRITERS[target](model), target)
    assert type(network.optimizer) is keras.optimizers.Adam
    assert float(network.optimizer.learning_rate) == 0.25
    assert getattr(network.loss, "__name__", network.loss) == "mean_squared_error"
    network.fit(np.zeros((4, 3)), np.zeros((4, 3)), verbose=0)


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.1),
    "amsgrad": lambda: keras.optimizers.Adam(0.1, amsgrad=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.1, momentum=0.5, centered=True),
    "adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "nadam": lambda: keras.optimizers.Nadam(0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("source", WRITERS)
def test_training_goes_on_where_it_stopped(source: str, name: str) -> None:
    content = saved(source, OPTIMIZERS[name](), "mean_squared_error", ["accuracy"])
    model = read_model({f"m.{source}": content})
    assert STATE_LEFT_OUT not in model.warnings
    after = opened(write_keras_zip(model), "keras")
    before = after if source == "h5" else opened(content, "keras")
    state = model.optimizer_state
    assert state is not None
    for kept, variable in zip(state.values, after.optimizer.variables, strict=True):
        assert np.array_equal(kept, np.asarray(variable))
    assert name == "sgd" or any(np.any(value) for value in state.values[2:])
    for one, other in zip(before.optimizer.variables, after.optimizer.variables, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
    assert int(np.asarray(after.optimizer.iterations)) == 1
    x, y = np.arange(12.0).reshape((4, 3)), np.zeros((4, 3))
    for network in (before, after):
        network.fit(x, y, verbose=0, shuffle=False)
    for one, other in zip(before.get_weights(), after.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_state_of_another_model_is_left_out() -> None:
    model = read_model({"m.h5": saved("h5")})
    state = model.optimizer_state
    assert state is not None
    short = replace(state, names=state.names[:-1], values=state.values[:-1])
    assert read_model({"m.keras": write_keras_zip(model)}).optimizer_state is not None
    again = read_model({"m.keras": write_keras_zip(replace(model, optimizer_state=short))})
    assert again.optimizer_state is None


def compiled(model: Model, tmp_path: Path) -> Any:
    for name, content in write_tfjs(model).items():
        (tmp_path / name).write_bytes(content)
    job = {"folder": str(tmp_path), "train": False}
    job["inputs"] = [{"shape": [1, 3], "dtype": "float32", "values": [0, 0, 0]}]
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("predict.mjs")), str(NODE_MODULES)],
        input=json.dumps([job]),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(done.stdout)[0]["compiled"]


@pytest.mark.parametrize(
    ("optimizer", "named", "config"),
    [
        (keras.optimizers.SGD(0.5), "SGD", {"learningRate": 0.5}),
        (
            keras.optimizers.SGD(0.5, momentum=0.25, nesterov=True),
            "Momentum",
            {"learningRate": 0.5, "momentum": 0.25, "useNesterov": True},
        ),
        (
            keras.optimizers.Adam(0.5, beta_1=0.25, epsilon=0.125),
            "Adam",
            {"learningRate": 0.5, "beta1": 0.25, "epsilon": 0.125},
        ),
        (
            keras.optimizers.RMSprop(0.5, rho=0.75, centered=True),
            "RMSProp",
            {"learningRate": 0.5, "decay": 0.75, "centered": True},
        ),
        (keras.optimizers.Adadelta(0.5, rho=0.75), "Adadelta", {"rho": 0.75}),
        (
            keras.optimizers.Adagrad(0.5, initial_accumulator_value=0.25),
            "Adagrad",
            {"learningRate": 0.5, "initialAccumulatorValue": 0.25},
        ),
        (keras.optimizers.Adamax(0.5), "Adamax", {"learningRate": 0.5, "decay": 0}),
    ],
)
def test_tfjs_compiles_as_keras_did(
    optimizer: Any, named: str, config: dict[str, Any], tmp_path: Path
) -> None:
    model = read_model({"m.h5": saved("h5", optimizer, "mse", ["mae", "accuracy"])})
    found = compiled(model, tmp_path)
    assert found["optimizer"] == named
    assert {key: found["config"][key] for key in config} == config
    assert found["loss"] == "meanSquaredError"
    assert found["metrics"] == ["mae", "accuracy"]


@pytest.mark.parametrize(
    ("optimizer", "loss"),
    [
        (keras.optimizers.AdamW(0.5), "mse"),
        (keras.optimizers.Lion(0.5), "mse"),
        (keras.optimizers.Adam(0.5), keras.losses.CategoricalCrossentropy(from_logits=True)),
        (keras.optimizers.Adam(0.5), keras.losses.Huber()),
    ],
)
def test_what_tfjs_has_not_is_not_told_to_it(optimizer: Any, loss: Any, tmp_path: Path) -> None:
    model = read_model({"m.h5": saved("h5", optimizer, loss)})
    assert compiled(model, tmp_path) is None


def test_an_object_of_an_unknown_class_is_not_carried() -> None:
    told = {
        "loss": {"class_name": "Lambda", "config": {}},
        "optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 0.1}},
    }
    assert for_h5(told) is None
    assert for_h5({**told, "loss": {"class_name": "Huber", "config": {"delta": 2.0}}}) is not None
