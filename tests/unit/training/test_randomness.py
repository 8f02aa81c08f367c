"""The generator over whole arrays: the shared vectors, and the scalar definition as the oracle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from potluck_coordinator.core import randomness as scalar
from potluck_coordinator.training import randomness as arrays

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "randomness.json").read_text()
)
WORDS = st.integers(0, 2**32 - 1)


def kept(seed: int, layer: str, step: int, rate: float, size: int) -> np.ndarray:
    drawn = arrays.words(jnp, jnp.uint32(seed), f"dropout/{layer}", jnp.uint32(step), size)
    return np.asarray(arrays.kept(jnp, drawn, rate))


def test_every_shared_vector_holds() -> None:
    for case in VECTORS["threefry2x32"]:
        words = [np.array([word], np.uint32) for word in (*case["key"], *case["counter"])]
        out = arrays.threefry(words[0], words[1], words[2], words[3])
        assert [int(word[0]) for word in out] == case["out"]
    for purpose, word in VECTORS["stream"].items():
        assert arrays.stream(purpose) == word
    for case in VECTORS["epoch_order"]:
        order = arrays.epoch_order(case["seed"], case["epoch"], case["rows"])
        assert order.tolist() == case["order"]
    for case in VECTORS["dropout_keep"]:
        place = (case["seed"], case["layer"], case["step"], case["rate"], case["size"])
        assert (kept(*place) > 0).astype(int).tolist() == case["keep"]


@given(seed=WORDS, epoch=st.integers(0, 10**6), rows=st.integers(1, 200))
def test_an_epoch_s_order_is_the_definition_s(seed: int, epoch: int, rows: int) -> None:
    assert arrays.epoch_order(seed, epoch, rows).tolist() == scalar.epoch_order(seed, epoch, rows)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_masks_are_the_definition_s(rate: float, size: int) -> None:
    for step in (0, 5, 2**31 + 3):
        factors = kept(2**32 - 1, "drop", step, rate, size)
        right = np.array(scalar.dropout_keep(2**32 - 1, "drop", step, rate, size))
        assert np.array_equal(factors, np.where(right, np.float32(1 / (1 - rate)), 0))


def test_a_rate_of_one_drops_everything() -> None:
    assert not kept(1, "drop", 0, 1.0, 50).any()


@given(word=WORDS, rate=st.floats(0.0, 1.0))
@example(word=0, rate=1e-107)
def test_an_even_draw_is_compared_as_a_float32_with_the_rate_itself(word: int, rate: float) -> None:
    # As a tab does it: the draw rounded to float32, then compared with the rate as a double.
    right = float(np.float32(word / 2**32)) >= rate
    assert bool(arrays.at_least(jnp, jnp.uint32(word), rate)) is right


def test_normal_numbers_have_mean_0_and_deviation_1_and_come_again() -> None:
    drawn = arrays.normals(3, "gaussian_noise/noise", 7, 100_001)
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert abs(drawn.var() - 1) < 4 * np.sqrt(2 / drawn.size)
    assert np.array_equal(drawn[:9], arrays.normals(3, "gaussian_noise/noise", 7, 9))
    assert not np.array_equal(drawn[:9], arrays.normals(3, "gaussian_noise/noise", 8, 9))
