"""Same weights, same rows in the same order: the engine ends where Keras on JAX does.

Trained on the engine's CPU and WASM backends from what the converter made of the Keras file. The
tolerance is relative to how far Keras moved each array of weights; float32 gives about 1e-4 of it
with Adam, which divides noise by noise where gradients vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from potluck_converter import read_model, tfjs_topology
from potluck_coordinator.core.randomness import epoch_order
from tests.support.engine_page import EnginePage, distance
from tests.support.keras_files import saved

TOLERANCE = 5e-3
ROWS, BATCH, EPOCHS, SEED = 20, 8, 3, 3
STEPS_PER_EPOCH = 3

SGD: dict[str, Any] = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.0, "nesterov": False}
ADAM: dict[str, Any] = {
    "name": "adam",
    "learning_rate": 0.01,
    "beta_1": 0.9,
    "beta_2": 0.99,
    "epsilon": 1e-3,
}
RMSPROP: dict[str, Any] = {
    "name": "rmsprop",
    "learning_rate": 0.01,
    "rho": 0.8,
    "momentum": 0.0,
    "epsilon": 1e-3,
}
OPTIMIZERS = {
    "sgd": SGD,
    "momentum": SGD | {"momentum": 0.9},
    "nesterov": SGD | {"momentum": 0.9, "nesterov": True},
    "adam": ADAM,
    "rmsprop": RMSPROP,
    "rmsprop with momentum": RMSPROP | {"momentum": 0.5},
}
KERAS_CLASSES = {"sgd": "SGD", "adam": "Adam", "rmsprop": "RMSprop"}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


def dense(activation: str, outputs: int) -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(10, activation="tanh", kernel_regularizer="l2"),
            keras.layers.Dense(outputs, activation=activation),
        ]
    )


def convolutions() -> Any:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(2)
    inputs = keras.Input((7, 7, 2))
    left = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(inputs)
    left = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(left))
    right = layers.Conv2D(4, 3, strides=2, padding="same", activation="swish")(inputs)
    merged = layers.Concatenate()([layers.Add()([left, right]), right])
    pooled = layers.AveragePooling2D(2)(layers.MaxPooling2D(2, strides=1)(merged))
    outputs = layers.Dense(3)(layers.Flatten()(pooled))
    return keras.Model(inputs, outputs)


def frozen_layer() -> Any:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(7, activation="relu", trainable=False),
            layers.BatchNormalization(epsilon=1e-2),
            layers.Dense(3, activation="softmax"),
        ]
    )


def sequence() -> Any:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((9,), dtype="int32"),
            layers.Embedding(12, 4),
            layers.Conv1D(5, 3, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.LSTM(6),
            layers.Dense(3, activation="softmax"),
        ]
    )


def data(model: Any, loss: str) -> dict[str, NDArray[Any]]:
    draw = np.random.default_rng(8)
    shape = (ROWS, *model.input_shape[1:])
    tokens = model.inputs[0].dtype == "int32"
    x = draw.integers(0, 12, shape).astype(np.int32) if tokens else draw.normal(size=shape)
    outputs = model.output_shape[-1]
    if loss == "sparse_categorical_crossentropy":
        return {"x": _floats(x), "y": draw.integers(0, outputs, ROWS).astype(np.int32)}
    y = draw.normal(size=(ROWS, outputs))
    return {"x": _floats(x), "y": _floats(y > 0 if loss == "binary_crossentropy" else y)}


def _floats(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.dtype == np.int32 else values.astype(np.float32)


def train_with_keras(
    model: Any, optimizer: dict[str, Any], loss: str, from_logits: bool, rows: Any
) -> None:
    import keras

    options = {name: value for name, value in optimizer.items() if name != "name"}
    names = {
        "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
        "binary_crossentropy": "BinaryCrossentropy",
        "mean_squared_error": "MeanSquaredError",
        "mean_absolute_error": "MeanAbsoluteError",
    }
    logits = {"from_logits": from_logits} if "crossentropy" in loss else {}
    model.compile(
        getattr(keras.optimizers, KERAS_CLASSES[optimizer["name"]])(**options),
        getattr(keras.losses, names[loss])(**logits),
    )
    for epoch in range(EPOCHS):
        order = np.array(epoch_order(SEED, epoch, ROWS))
        for start in range(0, ROWS, BATCH):
            batch = order[start : start + BATCH]
            model.train_on_batch(rows["x"][batch], rows["y"][batch])


def weights_of(model: Any) -> dict[str, NDArray[np.float32]]:
    return dict(read_model({"m.h5": saved(model)}).weights)


def compare(
    page: EnginePage,
    make: Callable[[], Any],
    optimizer: dict[str, Any],
    loss: str = "sparse_categorical_crossentropy",
    from_logits: bool = False,
) -> dict[str, float]:
    """Give each backend's distance from Keras; under "other" that of training by another rule."""
    model = make()
    start = read_model({"m.h5": saved(model)})
    rows = data(model, loss)
    train_with_keras(model, optimizer, loss, from_logits, rows)
    right = weights_of(model)
    recipe = {
        "rows": ROWS,
        "batch_size": BATCH,
        "steps_per_epoch": STEPS_PER_EPOCH,
        "optimizer": optimizer,
        "loss": loss,
        "from_logits": from_logits,
        "seed": SEED,
    }
    topology, steps = tfjs_topology(start.graph), EPOCHS * STEPS_PER_EPOCH
    wrong = optimizer | {"learning_rate": optimizer["learning_rate"] * 1.02}
    return {
        name: distance(
            page.train(backend, recipe | changed, topology, start.weights, rows, steps).weights,
            right,
            start.weights,
        )
        for name, backend, changed in (
            ("cpu", "cpu", {}),
            ("wasm", "wasm", {}),
            ("other", "cpu", {"optimizer": wrong}),
        )
    }


def check(distances: dict[str, float]) -> None:
    assert distances["cpu"] < TOLERANCE
    assert distances["wasm"] < TOLERANCE
    # A learning rate wrong by a fiftieth fails the same comparison.
    assert distances["other"] > TOLERANCE


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_is_keras_s(page: EnginePage, name: str) -> None:
    check(compare(page, lambda: dense("softmax", 3), OPTIMIZERS[name]))


@pytest.mark.parametrize(
    ("loss", "from_logits", "activation", "outputs"),
    [
        ("sparse_categorical_crossentropy", True, "linear", 3),
        ("binary_crossentropy", False, "sigmoid", 1),
        ("binary_crossentropy", True, "linear", 1),
        ("mean_squared_error", False, "linear", 2),
        ("mean_absolute_error", False, "linear", 2),
    ],
)
def test_each_loss_is_keras_s(
    page: EnginePage, loss: str, from_logits: bool, activation: str, outputs: int
) -> None:
    check(compare(page, lambda: dense(activation, outputs), SGD, loss, from_logits))


@pytest.mark.parametrize("make", [convolutions, frozen_layer, sequence])
def test_each_kind_of_layer_learns_as_in_keras(page: EnginePage, make: Callable[[], Any]) -> None:
    check(compare(page, make, SGD | {"momentum": 0.5}, from_logits=make is convolutions))
