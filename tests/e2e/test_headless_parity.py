"""One unit, trained headless on Keras and JAX and in a tab on WASM: the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser

from tests.support.engine_page import EnginePage, distance
from tests.support.optimizer_cases import EVERY, optimizer
from tests.support.small_units import networks, small_unit

# Relative to how far training moved each array of weights.
TOLERANCE = 5e-3
STEPS = 9
NETWORKS = networks()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


@pytest.mark.parametrize("name", NETWORKS)
def test_a_headless_donor_trains_as_a_tab_does(page: EnginePage, name: str) -> None:
    unit = small_unit(NETWORKS[name]())
    start = dict(unit.model.weights)
    tab = page.train("wasm", unit.recipe, unit.topology, start, unit.data, STEPS).weights
    assert distance(unit.train(STEPS).weights, tab, start) < TOLERANCE
    # A learning rate wrong by a fiftieth fails the same comparison.
    assert distance(unit.with_rate(1.02).train(STEPS).weights, tab, start) > TOLERANCE


@pytest.mark.parametrize("rule", EVERY)
@pytest.mark.parametrize("name", ["dropout", "normal noise"])
def test_every_optimizer_trains_layers_that_draw_as_a_headless_donor_does(
    page: EnginePage, name: str, rule: str
) -> None:
    unit = replace(small_unit(NETWORKS[name]()), optimizer=optimizer(EVERY[rule]))
    start = dict(unit.model.weights)
    for backend in ("cpu", "wasm"):
        tab = page.train(backend, unit.recipe, unit.topology, start, unit.data, STEPS).weights
        assert distance(unit.train(STEPS).weights, tab, start) < TOLERANCE
