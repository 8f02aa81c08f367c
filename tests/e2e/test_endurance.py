"""A tab that helps all day: a thousand units in one Worker, and its memory stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from potluck_converter import read_model, tfjs_topology
from tests.support.engine_page import EnginePage
from tests.support.keras_files import saved

LEAKED_AT_MOST = 5_000
"""Bytes a unit: a tenth of its state, so that any kept one shows. TF.js's own table of names
takes about 1 kB of each, which nobody can reach."""


def a_unit() -> dict[str, Any]:
    """Give every field of a small unit: one epoch of two batches."""
    return {
        "id": "un_1",
        "kind": "trial",
        "study_id": "st_1",
        "study_name": "a long day",
        "submitter": "somebody",
        "trial": 0,
        "fold": None,
        "repeat": 0,
        "rung": 0,
        "from_epoch": 0,
        "to_epoch": 1,
        "epochs": 1,
        "rows": 16,
        "batch_size": 8,
        "steps_per_epoch": 2,
        "topology": "0" * 64,
        "start": "1" * 64,
        "tensors": "2" * 64,
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "loss": "sparse_categorical_crossentropy",
        "from_logits": False,
        "seed": 3,
        "commit_steps": [2],
        "flops": "1000",
        "limits": {"seconds": 60, "upload_bytes": 100_000},
    }


@pytest.fixture(scope="module")
def network() -> dict[str, Any]:
    """Give a network whose state, with Adam's slots, is about 60 kB, and its rows."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    opened = read_model({"m.h5": saved(model)})
    draw = np.random.default_rng(1)
    data = {
        "x": draw.normal(size=(16, 6)).astype(np.float32),
        "y": draw.integers(0, 3, 16).astype(np.int32),
    }
    return {"topology": tfjs_topology(opened.graph), "weights": opened.weights, "data": data}


@pytest.mark.parametrize("backend", ["wasm", pytest.param("cpu", marks=pytest.mark.long)])
def test_memory_is_flat_over_a_thousand_units(
    browser: Browser, network: dict[str, Any], backend: str
) -> None:
    with EnginePage(browser) as page:
        warm, end = page.endure(backend, a_unit(), **network, looks=[200, 1_000])
    assert end - warm < 800 * LEAKED_AT_MOST, f"{warm} bytes became {end}"


def test_a_state_kept_of_each_unit_shows(browser: Browser, network: dict[str, Any]) -> None:
    with EnginePage(browser) as page:
        few, more = page.endure("cpu", a_unit(), **network, looks=[50, 150], settle=False)
    assert more - few > 100 * LEAKED_AT_MOST, f"{few} bytes became {more}"
