"""Losses in a real Chromium, weighted: a unit ends where Keras on JAX does, with Keras's mean loss.

Value and gradient of every loss and option are held to Keras on CPU and WASM elsewhere
(`client_web/src/engine/losses/losses.test.ts`); here each family trains on every backend. The
tolerance is relative to how far Keras moved each array of weights, and for the loss to its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from potluck_converter import read_model, tfjs_topology
from potluck_coordinator.core.randomness import epoch_order
from tests.support.engine_page import EnginePage, distance
from tests.support.keras_files import saved

TOLERANCE = 1e-3
BACKENDS = ("cpu", "wasm", "webgl", "webgpu")
ROWS, BATCH, STEPS_PER_EPOCH, EPOCHS, SEED = 20, 8, 3, 2, 3


@dataclass(frozen=True)
class Case:
    loss: str
    keras_class: str
    activation: str
    outputs: int
    options: dict[str, Any] = field(default_factory=dict)
    from_logits: bool = False


CASES = {
    "smoothed": Case(
        "categorical_crossentropy",
        "CategoricalCrossentropy",
        "softmax",
        4,
        {"label_smoothing": 0.2},
    ),
    "class numbers": Case(
        "sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", "softmax", 4
    ),
    "class numbers from logits": Case(
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        "linear",
        4,
        from_logits=True,
    ),
    "two": Case("binary_crossentropy", "BinaryCrossentropy", "sigmoid", 1),
    "two from logits": Case(
        "binary_crossentropy", "BinaryCrossentropy", "linear", 1, from_logits=True
    ),
    "squares": Case("mean_squared_error", "MeanSquaredError", "linear", 1),
    "amounts": Case("mean_absolute_error", "MeanAbsoluteError", "linear", 1),
    "focal of classes": Case(
        "categorical_focal_crossentropy",
        "CategoricalFocalCrossentropy",
        "linear",
        4,
        {"gamma": 1.5, "alpha": 0.6},
        True,
    ),
    "focal of two": Case(
        "binary_focal_crossentropy",
        "BinaryFocalCrossentropy",
        "sigmoid",
        1,
        {"apply_class_balancing": True, "alpha": 0.3, "label_smoothing": 0.1},
    ),
    "hinge": Case("hinge", "Hinge", "linear", 1),
    "categorical hinge": Case("categorical_hinge", "CategoricalHinge", "linear", 4),
    "divergence": Case("kl_divergence", "KLDivergence", "softmax", 4),
    "cosine": Case("cosine_similarity", "CosineSimilarity", "linear", 4),
    "tversky": Case("tversky", "Tversky", "softmax", 4, {"alpha": 0.3, "beta": 0.9}),
    "huber": Case("huber", "Huber", "linear", 1, {"delta": 0.4}),
    "log-cosh": Case("log_cosh", "LogCosh", "linear", 1),
    "logarithmic": Case(
        "mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", "softplus", 1
    ),
    "percentage": Case(
        "mean_absolute_percentage_error", "MeanAbsolutePercentageError", "linear", 1
    ),
    "poisson": Case("poisson", "Poisson", "softplus", 1),
}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


def network(case: Case) -> Any:
    import keras

    keras.utils.set_random_seed(1)
    hidden = keras.layers.Dense(8, activation="tanh")
    head = keras.layers.Dense(case.outputs, activation=case.activation)
    return keras.Sequential([keras.Input((5,)), hidden, head])


def rows_for(case: Case) -> dict[str, NDArray[Any]]:
    draw = np.random.default_rng(8)
    two = draw.integers(0, 2, (ROWS, 1)).astype(np.float32)
    y: NDArray[Any] = draw.integers(1, 9, (ROWS, 1)).astype(np.float32)
    if case.outputs > 1:
        y = draw.integers(0, case.outputs, ROWS).astype(np.int32)
    elif case.loss.startswith("binary"):
        y = two
    elif case.loss == "hinge":
        y = 2 * two - 1
    weights = draw.uniform(0, 2, ROWS).astype(np.float32)
    weights[3] = 0
    return {"x": draw.normal(size=(ROWS, 5)).astype(np.float32), "y": y, "w": weights}


RATES = {"mean_absolute_percentage_error": 0.002, "mean_squared_error": 0.01}


def rate_of(case: Case) -> float:
    return RATES.get(case.loss, 0.1)


@pytest.mark.parametrize("name", CASES)
def test_a_weighted_unit_ends_where_keras_does(page: EnginePage, name: str) -> None:
    import keras

    case = CASES[name]
    model, rows = network(case), rows_for(case)
    start = read_model({"m.h5": saved(model)})
    options = dict(case.options) | ({"from_logits": True} if case.from_logits else {})
    model.compile(
        keras.optimizers.SGD(rate_of(case)), getattr(keras.losses, case.keras_class)(**options)
    )
    one_hot = case.outputs > 1 and not case.loss.startswith("sparse")
    y = np.eye(case.outputs, dtype=np.float32)[rows["y"]] if one_hot else rows["y"]
    right_loss = 0.0
    for epoch in range(EPOCHS):
        order = np.array(epoch_order(SEED, epoch, ROWS))
        right_loss = 0.0
        for first in range(0, ROWS, BATCH):
            batch = order[first : first + BATCH]
            model.reset_metrics()
            mean = float(model.train_on_batch(rows["x"][batch], y[batch], rows["w"][batch]))
            right_loss += mean * len(batch) / ROWS
    right = dict(read_model({"m.h5": saved(model)}).weights)
    recipe = {
        "rows": ROWS,
        "batch_size": BATCH,
        "steps_per_epoch": STEPS_PER_EPOCH,
        "optimizer": {"name": "sgd", "learning_rate": rate_of(case)},
        "loss": case.loss,
        "loss_options": case.options,
        "from_logits": case.from_logits,
        "seed": SEED,
    }
    topology, steps = tfjs_topology(start.graph), EPOCHS * STEPS_PER_EPOCH
    for backend in BACKENDS:
        found = page.train(backend, recipe, topology, start.weights, rows, steps)
        assert distance(found.weights, right, start.weights) < TOLERANCE, backend
        assert found.loss == pytest.approx(right_loss, rel=TOLERANCE), backend
    # One row's weight would be noticed.
    heavier = rows["w"].copy()
    heavier[5] += 0.2
    wrong = page.train("cpu", recipe, topology, start.weights, {**rows, "w": heavier}, steps)
    assert distance(wrong.weights, right, start.weights) > TOLERANCE
