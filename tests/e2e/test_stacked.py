"""Units that train together get what each gets alone, on every backend.

The tolerance is relative to how far training moved each array of weights; see test_backends.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from potluck_converter import initial_weights, read_model, tfjs_topology
from tests.support.engine_page import EnginePage, Trained, distance
from tests.support.keras_files import saved

TOLERANCE = 2e-3
BACKENDS = ("cpu", "wasm", "webgl", "webgpu")
ROWS, BATCH, CLASSES, TO_STEP = 21, 8, 3, 5  # the last batch of an epoch is smaller

MOMENTUM = {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": False}
ADAM = {"name": "adam", "learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3}
RECIPE: dict[str, Any] = {
    "rows": ROWS,
    "batch_size": BATCH,
    "steps_per_epoch": 3,
    "loss": "sparse_categorical_crossentropy",
    "from_logits": False,
    "seed": 11,
}


def build(name: str) -> Any:
    """Build a network; all of a stack's layers are in one of them."""
    import keras

    # Weights are drawn by their layers' names, which otherwise count on from test to test. Some
    # leave selu on one side, where batch normalization leaves nothing of a bias's gradient.
    keras.utils.clear_session()
    layers, penalty = keras.layers, keras.regularizers.L1L2(0.001, 0.01)
    if name == "perceptron":
        return keras.Sequential(
            [
                keras.Input((7,)),
                layers.Dense(9, activation="relu"),
                layers.Dropout(0.3),
                layers.Dense(6, activation="tanh", kernel_regularizer=penalty),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
    if name == "convolutions":
        return keras.Sequential(
            [
                keras.Input((8, 7, 2)),
                layers.Conv2D(5, 3, padding="same", activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(3, strides=2, padding="same"),
                layers.Conv2D(4, (3, 2), strides=(2, 1), use_bias=False),
                layers.LeakyReLU(negative_slope=0.2),
                layers.Dropout(0.2),
                layers.Flatten(),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(0.5, 0.25),
            layers.AveragePooling2D(2),
            layers.Conv2D(4, 2, padding="same", activation="elu"),
            layers.Reshape((16, 4)),
            layers.Conv1D(6, 3, strides=2, padding="same", activation="sigmoid"),
            layers.MaxPooling1D(2),
            layers.Dense(5, activation="selu"),
            layers.BatchNormalization(momentum=0.8),
            layers.GlobalAveragePooling1D(),
            layers.Dense(CLASSES),
            layers.Softmax(),
        ]
    )


def with_rate(topology: dict[str, Any], rate: float) -> dict[str, Any]:
    """Give the network another dropout rate."""
    found: dict[str, Any] = json.loads(json.dumps(topology))
    for layer in found["config"]["layers"]:
        if "rate" in layer["config"]:
            layer["config"]["rate"] = rate
    return found


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


def units_of(name: str, optimizer: dict[str, Any]) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Give three units that differ in numbers: (recipe, topology, weights); and their rows."""
    opened = read_model({"m.h5": saved(build(name))})
    topology = tfjs_topology(opened.graph)
    draw = np.random.default_rng(5)
    shape = build(name).input_shape[1:]
    data = {
        "x": draw.normal(size=(ROWS, *shape)).astype(np.float32),
        "y": draw.integers(0, CLASSES, ROWS).astype(np.int32),
    }
    units = []
    for unit in range(3):
        rate = optimizer["learning_rate"] / (1 + unit)
        recipe = RECIPE | {"optimizer": optimizer | {"learning_rate": rate}, "seed": 11 + unit // 2}
        weights = initial_weights(opened.graph, unit)
        units.append((recipe, with_rate(topology, 0.1 * unit), weights))
    return units, data


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("name", "optimizer"),
    [("perceptron", ADAM), ("convolutions", MOMENTUM), ("every other layer", MOMENTUM)],
)
def test_each_unit_of_a_stack_gets_what_it_gets_alone(
    page: EnginePage, backend: str, name: str, optimizer: dict[str, Any]
) -> None:
    units, data = units_of(name, optimizer)
    (recipe, topology, weights), *others = units
    together = page.train(backend, recipe, topology, weights, data, TO_STEP, companions=others)
    assert together.leaked == 0
    found = [together.weights, *together.companions]
    alone: list[Trained] = [
        page.train("cpu", own, network, values, data, TO_STEP, by_kernels=True)
        for own, network, values in units
    ]
    for index, (_, _, start) in enumerate(units):
        right = alone[index].weights
        assert distance(found[index], right, start) < TOLERANCE
        # A unit is far from its neighbour's result, and from its start: the tolerance can fail.
        assert distance(found[(index + 1) % 3], right, start) > 10 * TOLERANCE
        assert distance(start, right, start) > 0.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_product_that_is_wrong_by_a_hundredth_shows_where_tf_js_multiplies(
    page: EnginePage, backend: str
) -> None:
    units, data = units_of("perceptron", ADAM)
    (recipe, topology, weights), *others = units
    together = page.train(
        backend,
        recipe,
        topology,
        weights,
        data,
        TO_STEP,
        companions=others,
        break_kernel="BatchMatMul",
    )
    alone = page.train("cpu", recipe, topology, weights, data, TO_STEP)
    far = distance(together.weights, alone.weights, weights) > TOLERANCE
    # On CPU and WASM a stack multiplies by itself.
    assert far == (backend in ("webgl", "webgpu"))
