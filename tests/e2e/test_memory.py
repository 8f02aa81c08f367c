"""What a unit takes of a tab's memory is about what was told before it was offered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser

from potluck_converter import training_memory
from potluck_coordinator.services.memory import unit_memory
from tests.support.engine_page import EnginePage
from tests.support.optimizer_cases import EVERY, optimizer
from tests.support.small_units import small_unit, stacked

BATCH = 20
LEAST, MOST = 0.9, 4.0
"""Told, of what was taken by the way that takes most; the estimate is one for all backends."""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


def perceptron() -> Any:
    import keras

    k = keras.layers
    return stacked((64,), k.Dense(512, "relu"), k.Dense(512, "relu"))


def images() -> Any:
    import keras

    k = keras.layers
    return stacked(
        (16, 16, 3),
        k.Conv2D(16, 3, padding="same", use_bias=False),
        k.BatchNormalization(),
        k.Activation("relu"),
        k.Conv2D(16, 5, padding="same", activation="relu"),
        k.MaxPooling2D(2),
    )


def volumes() -> Any:
    import keras

    k = keras.layers
    return stacked((8, 8, 8, 4), k.Conv3D(4, 3, padding="same"), k.MaxPooling3D(2))


def series() -> Any:
    import keras

    return stacked((32, 16), keras.layers.Bidirectional(keras.layers.LSTM(64)))


def step_by_step() -> Any:
    import keras

    return stacked((32, 16), keras.layers.GRU(64, reset_after=False))


def heads() -> Any:
    import keras

    k = keras.layers
    keras.utils.set_random_seed(2)
    inputs = keras.Input((48, 16))
    seen = k.MultiHeadAttention(4, 16)(inputs, inputs)
    added = k.AdditiveAttention()([seen, inputs])
    return keras.Model(inputs, k.Dense(3, "softmax")(k.Flatten()(k.LayerNormalization()(added))))


def gaps() -> Any:
    import keras

    k = keras.layers
    return stacked(
        (64, 16),
        k.Conv1D(16, 3, padding="causal", dilation_rate=2, activation="gelu"),
        k.Conv1D(16, 3, padding="same", groups=4),
    )


def channels() -> Any:
    import keras

    k = keras.layers
    return stacked(
        (16, 16, 8),
        k.Conv2D(16, 7, padding="same", groups=8),
        k.DepthwiseConv2D(5, padding="same"),
    )


def channels_with_gaps() -> Any:
    import keras

    return stacked((16, 16, 8), keras.layers.DepthwiseConv2D(3, padding="same", dilation_rate=2))


def taken(page: EnginePage, backend: str, make: Callable[[], Any], by_kernels: bool) -> float:
    """Give what was told of the bytes that a step takes."""
    unit = replace(small_unit(make()), batch_size=BATCH, optimizer=optimizer(EVERY["adam"]))
    rows = sum(array.nbytes for array in unit.data.values())
    parameters = {"optimizer": "adam", "batch_size": BATCH}
    told = unit_memory(training_memory(unit.model.graph), parameters, rows)
    start = dict(unit.model.weights)
    trained = page.train(
        *(backend, unit.recipe, unit.topology, start, unit.data, 1),
        by_kernels=by_kernels,
        weigh=True,
    )
    assert trained.bytes is not None
    return told / trained.bytes


EVERY_KIND = [perceptron, images, volumes, series, step_by_step, heads, gaps]
EVERY_KIND += [channels, channels_with_gaps]


@pytest.mark.parametrize("make", EVERY_KIND)
def test_a_unit_takes_about_what_was_told(page: EnginePage, make: Callable[[], Any]) -> None:
    assert LEAST <= taken(page, "wasm", make, by_kernels=True) <= MOST
    # Loops over one memory need less, and never more.
    assert taken(page, "wasm", make, by_kernels=False) >= LEAST


@pytest.mark.parametrize("make", EVERY_KIND)
def test_frozen_layers_too(page: EnginePage, make: Callable[[], Any]) -> None:
    def frozen() -> Any:
        network = make()
        for layer in network.layers[:-1]:
            layer.trainable = False
        return network

    assert taken(page, "wasm", frozen, by_kernels=True) >= LEAST
    assert taken(page, "wasm", frozen, by_kernels=False) >= LEAST


@pytest.mark.parametrize("backend", ["webgl", "webgpu"])
@pytest.mark.parametrize("make", [perceptron, images, series])
def test_on_a_gpu_too(page: EnginePage, make: Callable[[], Any], backend: str) -> None:
    assert LEAST <= taken(page, backend, make, by_kernels=True) <= MOST
