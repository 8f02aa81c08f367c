"""Every optimizer, clipping, decay, average and schedule, trained in a page and by Keras on JAX.

21 steps from the same weights over the same rows: on CPU and WASM for all, on WebGL and WebGPU
 for those whose programs differ. The tolerance is relative to how far Keras moved each array;
a learning rate wrong by a fiftieth breaks it every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from potluck.protocol.schedules import Plateau
from potluck_converter import read_model, tfjs_topology
from potluck_coordinator.core.randomness import epoch_order
from tests.support.engine_page import EnginePage, Trained, distance
from tests.support.keras_files import saved
from tests.support.keras_optimizers import keras_optimizer, keras_plateau
from tests.support.optimizer_cases import (
    ALL,
    COMMON,
    PLATEAU,
    RULES,
    optimizer,
    slightly_wrong,
)

TOLERANCE = 5e-3
ROWS, BATCH, EPOCHS, SEED = 20, 8, 7, 3
STEPS_PER_EPOCH = 3
STEPS = EPOCHS * STEPS_PER_EPOCH
PLATEAUED = RULES["momentum"] | {"schedule": PLATEAU | {"patience": 1, "min_delta": 0.3}}
CONSTRAINED = RULES["momentum"] | {"weight_decay": 0.1, "use_ema": True}
ON_GPUS = (
    "momentum",
    "amsgrad",
    "adamw",
    "adamax",
    "nadam",
    "centered with momentum",
    "adagrad",
    "adadelta",
    "lion",
    "ftrl",
    "ftrl by another power",
    *COMMON,
)

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Keras:
    """What Keras trained: `weights` as they are, `final` as it leaves them after training."""

    topology: dict[str, Any]
    start: Arrays
    weights: Arrays
    final: Arrays
    rate: float


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


def network(constrained: bool) -> Any:
    import keras

    keras.utils.set_random_seed(1)
    limit = keras.constraints.MaxNorm(0.8) if constrained else None
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(10, activation="tanh", kernel_constraint=limit, name="hidden"),
            keras.layers.Dense(3, activation="softmax", name="head"),
        ]
    )


def rows() -> dict[str, NDArray[Any]]:
    draw = np.random.default_rng(8)
    x, y = draw.normal(size=(ROWS, 6)), draw.integers(0, 3, ROWS)
    return {"x": x.astype(np.float32), "y": y.astype(np.int32)}


def weights_of(model: Any) -> Arrays:
    return {f"{layer.name}/{v.name}": np.array(v) for layer in model.layers for v in layer.weights}


@cache
def by_keras(fields: str, constrained: bool = False) -> Keras:
    """Train with Keras; `fields`: an optimizer as the wire has it, as Python writes it."""
    import ast

    given = optimizer(ast.literal_eval(fields))
    model = network(constrained)
    start = read_model({"m.h5": saved(model)})
    plateau = given.schedule if isinstance(given.schedule, Plateau) else None
    own = keras_optimizer(given, STEPS_PER_EPOCH)
    callback = keras_plateau(plateau, own) if plateau else None
    model.compile(own, "sparse_categorical_crossentropy")
    data = rows()
    for epoch in range(EPOCHS):
        order = np.array(epoch_order(SEED, epoch, ROWS))
        total = 0.0
        for begin in range(0, ROWS, BATCH):
            batch = order[begin : begin + BATCH]
            model.reset_metrics()
            total += len(batch) * float(model.train_on_batch(data["x"][batch], data["y"][batch]))
        if callback is not None:
            callback.on_epoch_end(epoch, {"loss": total / ROWS})
    weights = weights_of(model)
    rate = float(own.learning_rate)
    own.finalize_variable_values(model.trainable_variables)
    final = weights_of(model)
    return Keras(tfjs_topology(start.graph), dict(start.weights), weights, final, rate)


def in_page(page: EnginePage, backend: str, fields: dict[str, Any], right: Keras) -> Trained:
    recipe = {
        "rows": ROWS,
        "batch_size": BATCH,
        "steps_per_epoch": STEPS_PER_EPOCH,
        "optimizer": optimizer(fields).model_dump(),
        "loss": "sparse_categorical_crossentropy",
        "from_logits": False,
        "seed": SEED,
    }
    return page.train(backend, recipe, right.topology, right.start, rows(), STEPS)


def apart(trained: Trained, right: Keras) -> float:
    """Give how far weights are from Keras's, and what is scored from what Keras ends with."""
    prefix = "optimizer/average/"
    averages = {k.removeprefix(prefix): v for k, v in trained.state.items() if k.startswith(prefix)}
    final = {**trained.weights, **averages}
    return max(
        distance(trained.weights, right.weights, right.start),
        distance(final, right.final, right.start),
    )


@pytest.mark.parametrize("case", ALL)
def test_the_engine_trains_as_keras_does(page: EnginePage, case: str) -> None:
    fields = ALL[case]
    right = by_keras(repr(fields))
    assert apart(in_page(page, "cpu", fields, right), right) < TOLERANCE
    assert apart(in_page(page, "wasm", fields, right), right) < TOLERANCE
    assert apart(in_page(page, "cpu", slightly_wrong(fields), right), right) > TOLERANCE


@pytest.mark.parametrize("backend", ["webgl", "webgpu"])
@pytest.mark.parametrize("case", ON_GPUS)
def test_a_gpu_s_program_trains_as_keras_does(page: EnginePage, case: str, backend: str) -> None:
    right = by_keras(repr(ALL[case]))
    assert apart(in_page(page, backend, ALL[case], right), right) < TOLERANCE


@pytest.mark.parametrize("backend", ["webgl", "webgpu"])
@pytest.mark.parametrize("clipping", ["clipnorm", "global_clipnorm"])
def test_a_gpu_that_clips_at_another_limit_is_noticed(
    page: EnginePage, clipping: str, backend: str
) -> None:
    fields = RULES["momentum"] | {clipping: 0.1}
    right = by_keras(repr(fields))
    wrong = in_page(page, backend, fields | {clipping: 0.102}, right)
    assert apart(wrong, right) > TOLERANCE


@pytest.mark.parametrize("backend", ["cpu", "wasm", "webgl", "webgpu"])
def test_a_plateau_of_the_training_loss_is_keras_s(page: EnginePage, backend: str) -> None:
    right = by_keras(repr(PLATEAUED))
    trained = in_page(page, backend, PLATEAUED, right)
    assert apart(trained, right) < TOLERANCE
    assert trained.state["optimizer/plateau"][0] == np.float32(right.rate) < 0.1
    steady = in_page(page, backend, RULES["momentum"], right)
    assert apart(steady, right) > TOLERANCE


@pytest.mark.parametrize("backend", ["cpu", "wasm", "webgl", "webgpu"])
def test_the_next_step_starts_from_constrained_weights(page: EnginePage, backend: str) -> None:
    right = by_keras(repr(CONSTRAINED), True)
    assert apart(in_page(page, backend, CONSTRAINED, right), right) < TOLERANCE
    free = by_keras(repr(CONSTRAINED))
    assert distance(free.weights, right.weights, right.start) > TOLERANCE
