"""The generator of docs/protocol.md, by its published and our shared vectors."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.randomness import (
    derive_seed,
    dropout_keep,
    epoch_order,
    stream,
    threefry2x32,
)

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "randomness.json").read_text(encoding="utf-8")
)


def test_the_shared_vectors_hold() -> None:
    for case in VECTORS["threefry2x32"]:
        key, counter = tuple(case["key"]), tuple(case["counter"])
        assert list(threefry2x32(key, counter)) == case["out"]
    for purpose, number in VECTORS["stream"].items():
        assert stream(purpose) == number
    for case in VECTORS["epoch_order"]:
        assert epoch_order(case["seed"], case["epoch"], case["rows"]) == case["order"]
    for case in VECTORS["dropout_keep"]:
        kept = dropout_keep(case["seed"], case["layer"], case["step"], case["rate"], case["size"])
        assert [int(k) for k in kept] == case["keep"]
    for case in VECTORS["derive_seed"]:
        seed = derive_seed(case["study_seed"], case["purpose"], case["fold"], case["repeat"])
        assert seed == case["seed"]


def test_random123s_known_answers_hold() -> None:
    assert threefry2x32((0, 0), (0, 0)) == (0x6B200159, 0x99BA4EFE)
    ones = (0xFFFFFFFF, 0xFFFFFFFF)
    assert threefry2x32(ones, ones) == (0x1CB996FC, 0xBB002BE7)


@given(st.integers(0, 2**32 - 1), st.integers(0, 1000), st.integers(0, 200))
def test_an_epochs_order_visits_every_row_once(seed: int, epoch: int, rows: int) -> None:
    assert sorted(epoch_order(seed, epoch, rows)) == list(range(rows))


def test_dropout_keeps_about_the_share_it_should() -> None:
    kept = sum(dropout_keep(7, "dropout", 3, 0.25, 4000))
    assert 0.72 < kept / 4000 < 0.78


def test_masks_differ_from_step_to_step() -> None:
    assert dropout_keep(7, "d", 0, 0.5, 64) != dropout_keep(7, "d", 1, 0.5, 64)
