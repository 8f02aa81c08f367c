"""One small unit on every backend: its weights agree with the CPU's, and a wrong kernel shows.

The tolerance is relative to how far training moved each array of weights. Float32 sums in another
order differ by about 1e-5 of it after these steps; a kernel wrong by a hundredth moves it by 1e-2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Error

from potluck_converter import read_model, tfjs_topology
from tests.support.engine_page import EnginePage, Trained, distance
from tests.support.keras_files import saved

TOLERANCE = 1e-3
BACKENDS = ("cpu", "wasm", "webgl", "webgpu")
ROWS, BATCH, CLASSES = 30, 8, 4
TO_STEP = 10  # two epochs of four steps, the last batch smaller, and half of a third

RECIPE = {
    "rows": ROWS,
    "batch_size": BATCH,
    "steps_per_epoch": 4,
    "optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": False},
    "loss": "sparse_categorical_crossentropy",
    "from_logits": False,
    "seed": 11,
}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def unit() -> dict[str, Any]:
    """Give a network of convolution, pooling, normalization, dropout and dense, and its rows."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Conv2D(8, 3, activation="tanh"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(12, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01)),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    opened = read_model({"cnn.h5": saved(model)})
    draw = np.random.default_rng(5)
    data: dict[str, NDArray[Any]] = {
        "x": draw.normal(size=(ROWS, 8, 8, 1)).astype(np.float32),
        "y": draw.integers(0, CLASSES, ROWS).astype(np.int32),
    }
    return {"topology": tfjs_topology(opened.graph), "weights": opened.weights, "data": data}


@pytest.fixture(scope="module")
def walk() -> dict[str, Any]:
    """Give a network of every recurrent layer that has kernels of its own, and its rows."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.LSTM(6, return_sequences=True),
            layers.GRU(5, return_sequences=True, go_backwards=True),
            layers.SimpleRNN(7),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    opened = read_model({"walk.h5": saved(model)})
    draw = np.random.default_rng(6)
    data: dict[str, NDArray[Any]] = {
        "x": draw.normal(size=(ROWS, 5, 3)).astype(np.float32),
        "y": draw.integers(0, CLASSES, ROWS).astype(np.int32),
    }
    return {"topology": tfjs_topology(opened.graph), "weights": opened.weights, "data": data}


@pytest.fixture(scope="module")
def on_cpu(page: EnginePage, unit: dict[str, Any]) -> Trained:
    return page.train("cpu", RECIPE, **unit, to_step=TO_STEP)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_unit_gives_the_weights_that_it_gives_on_the_cpu(
    page: EnginePage, unit: dict[str, Any], on_cpu: Trained, backend: str
) -> None:
    trained = page.train(backend, RECIPE, **unit, to_step=TO_STEP, judge=True)
    assert trained.known_answer is True
    assert distance(trained.weights, on_cpu.weights, unit["weights"]) < TOLERANCE
    assert distance(on_cpu.weights, unit["weights"], on_cpu.weights) > 0.5  # it did train


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_that_is_wrong_by_a_hundredth_is_noticed_twice(
    page: EnginePage, unit: dict[str, Any], on_cpu: Trained, backend: str
) -> None:
    trained = page.train(
        backend, RECIPE, **unit, to_step=TO_STEP, judge=True, break_kernel="Conv2DBackpropFilter"
    )
    assert trained.known_answer is False
    assert distance(trained.weights, on_cpu.weights, unit["weights"]) > TOLERANCE


@pytest.mark.parametrize("backend", ["wasm", "webgl", "webgpu"])
def test_recurrent_layers_walk_as_on_the_cpu_and_a_wrong_walk_shows(
    page: EnginePage, walk: dict[str, Any], backend: str
) -> None:
    recipe = RECIPE | {"optimizer": {"name": "adam", "learning_rate": 0.01, "epsilon": 1e-3}}
    by_cpu = page.train("cpu", recipe, **walk, to_step=TO_STEP)
    trained = page.train(backend, recipe, **walk, to_step=TO_STEP)
    assert distance(trained.weights, by_cpu.weights, walk["weights"]) < TOLERANCE
    wrong = page.train(
        backend, recipe, **walk, to_step=TO_STEP, break_kernel="PotluckRecurrenceGradient"
    )
    assert distance(wrong.weights, by_cpu.weights, walk["weights"]) > TOLERANCE


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_the_same_unit_twice_gives_the_same_bits(
    page: EnginePage, unit: dict[str, Any], backend: str
) -> None:
    once, twice = (page.train(backend, RECIPE, **unit, to_step=TO_STEP) for _ in range(2))
    page.reload()
    elsewhere = page.train(backend, RECIPE, **unit, to_step=TO_STEP)
    for name, value in once.weights.items():
        np.testing.assert_array_equal(value, twice.weights[name])
        np.testing.assert_array_equal(value, elsewhere.weights[name])


def test_webgl_with_16_bits_is_refused_with_the_reason(
    page: EnginePage, unit: dict[str, Any]
) -> None:
    with pytest.raises(Error, match="WebGL computes with 16 bits here, too few to train with"):
        page.train("webgl", RECIPE, **unit, to_step=TO_STEP, half_floats=True)
    assert page.train("webgl", RECIPE, **unit, to_step=1, judge=True).known_answer


def test_a_backend_is_chosen_by_the_unit_itself_and_once(
    page: EnginePage, unit: dict[str, Any], on_cpu: Trained
) -> None:
    trained = page.train(
        "wasm", RECIPE, **unit, to_step=TO_STEP, fit=["cpu", "wasm", "webgl", "webgpu"]
    )
    first, second = trained.fits
    assert [report["backend"] for report in first["measured"]] == ["cpu", "wasm", "webgl", "webgpu"]
    speeds = {report["backend"]: report["samples_per_second"] for report in first["measured"]}
    assert first["backend"] == max(speeds, key=lambda backend: speeds[backend])
    assert min(speeds.values()) > 0
    assert first["kind"].startswith("convolution ")
    assert (second["backend"], second["measured"]) == (first["backend"], [])
    # Nothing of the measuring is left in the unit.
    assert distance(trained.weights, on_cpu.weights, unit["weights"]) < TOLERANCE
