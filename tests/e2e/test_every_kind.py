"""Every optimizer with every kind of layer: the engine ends where Keras on JAX does.

On CPU and WASM every pair of an optimizer and a network; on WebGL and WebGPU every network with
Adam (`test_optimizers.py` has the other rules there). Same weights, same rows, same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Browser

from potluck_converter.layers import TABLE
from tests.support.engine_page import EnginePage, distance
from tests.support.every_kind import NETWORKS
from tests.support.keras_training import Arrays, KerasTraining
from tests.support.optimizer_cases import EVERY, optimizer, slightly_wrong
from tests.support.small_units import SmallUnit, small_unit

TOLERANCE = 2e-3
STEPS = 6
# Drawn by a unit's own generator, while Keras draws otherwise: test_headless_parity.py.
DRAWING = {
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


@cache
def keras_and_unit(network: str) -> tuple[KerasTraining, SmallUnit]:
    made = NETWORKS[network]()
    unit = small_unit(made)
    if network == "masking":
        for row in range(unit.rows):
            unit.data["x"][row, 2 + row % 5 :] = 0
    return KerasTraining(made), unit


@cache
def trained_by_keras(network: str, rule: str) -> Arrays:
    """Train by Keras, once for all backends that are held to it."""
    training, unit = keras_and_unit(network)
    right = training.train(unit, EVERY[rule], STEPS)
    # Keras numbers the layers that it opens; their order stays.
    return dict(zip(unit.model.weights, right.values(), strict=True))


def apart(page: EnginePage, network: str, backend: str, rule: str, told: Any) -> float:
    """Give how far a tab that is `told` one rule ends from Keras with another."""
    unit = keras_and_unit(network)[1]
    start = dict(unit.model.weights)
    named = trained_by_keras(network, rule)
    asked = replace(unit, optimizer=optimizer(told))
    got = page.train(backend, asked.recipe, asked.topology, start, unit.data, STEPS)
    return distance(got.weights, named, start)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("network", NETWORKS)
def test_every_optimizer_trains_it_as_keras_does(
    page: EnginePage, network: str, backend: str
) -> None:
    distances = {name: apart(page, network, backend, name, rule) for name, rule in EVERY.items()}
    assert max(distances.values()) < TOLERANCE, distances
    wrong = slightly_wrong(EVERY["adam"])
    assert apart(page, network, backend, "adam", wrong) > TOLERANCE


@pytest.mark.parametrize("backend", ["webgl", "webgpu"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_gpu_trains_it_as_keras_does(page: EnginePage, network: str, backend: str) -> None:
    assert apart(page, network, backend, "adam", EVERY["adam"]) < TOLERANCE


def test_no_kind_that_the_converter_reads_is_forgotten() -> None:
    networks = [keras_and_unit(name)[0].network for name in NETWORKS]
    inside = (layer for network in networks for layer in network._flatten_layers())
    seen = {type(layer).__name__ for layer in inside}
    # They change images by chance, have no weights, and train in tabs only.
    pictures = {name for name in TABLE if name.startswith("Random")}
    assert set(TABLE) - seen == DRAWING | pictures
