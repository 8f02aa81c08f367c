"""What was compiled for networks that nobody needs any more does not stay in memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import jax
import numpy as np
import pytest

from potluck_converter import graph_to_json, initial_weights, read_model, with_overrides
from potluck_coordinator.scoring import predictor
from potluck_coordinator.scoring.programs import Programs
from potluck_coordinator.training import unit_training as training
from tests.support.keras_files import dense_h5
from tests.support.small_units import SmallUnit, small_unit, stacked

SMALL = read_model({"m.h5": dense_h5()})
X = np.ones((6, 4), np.float32)


def score(width: int) -> None:
    """Score a network of a topology of its own, as a search over widths makes them."""
    graph = with_overrides(SMALL.graph, {"layers.hidden.units": width})
    weights = initial_weights(graph, seed=1)
    predictor.predictor_for(graph_to_json(graph)).predict(weights, X)


@cache
def small_network() -> SmallUnit:
    """Make the network whose widths are changed, once."""
    import keras

    return small_unit(stacked((4,), keras.layers.Dense(4, name="hidden")))


def train(width: int) -> None:
    """Train such a network, as a donor without a browser does."""
    given = small_network()
    graph = with_overrides(given.model.graph, {"layers.hidden.units": width})
    weights = initial_weights(graph, seed=1)
    replace(given, model=replace(given.model, graph=graph, weights=weights)).train(1)


def live() -> int:
    """Count the compiled programs in memory."""
    gc.collect()
    return len(jax.devices()[0].client.live_executables())


@pytest.mark.parametrize(
    ("use", "kept"), [(score, predictor.KEPT), (train, training.KEPT)], ids=["scored", "trained"]
)
def test_a_long_search_over_widths_does_not_fill_the_memory(
    use: Callable[[int], None], kept: int
) -> None:
    counts = []
    # Tests that came before have built some: the first time, too few of these may be forgotten to
    # see it. If it is by one of the first three, another time follows as many builds later.
    for width in range(1, kept + 4):
        use(width)
        counts.append(live())
    # Where nothing is forgotten, the count never falls.
    assert any(after < before / 2 for before, after in pairwise(counts)), counts


def test_what_is_kept_is_built_once_and_a_failed_build_counts() -> None:
    programs: Programs[str, int] = Programs(3)
    builds: list[str] = []

    def build(key: str) -> int:
        builds.append(key)
        if key.startswith("bad"):
            raise ValueError(key)
        return len(builds)

    assert programs.get("a", lambda: build("a")) == programs.get("a", lambda: build("a")) == 1
    for bad in ("bad 1", "bad 2"):
        with pytest.raises(ValueError, match=bad):
            programs.get(bad, lambda bad=bad: build(bad))  # type: ignore[misc]
    assert programs.get("b", lambda: build("b")) == 4
    assert programs.get("a", lambda: build("a")) == 5, "after three builds all are forgotten"
