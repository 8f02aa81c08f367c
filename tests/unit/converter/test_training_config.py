from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from potluck_converter import read_model, write_keras_h5, write_keras_zip
from tests.unit.converter.oracles import L, chain

WRITERS = {"h5": write_keras_h5, "keras": write_keras_zip}


def saved(ending: str) -> bytes:
    model = chain((3,), L.Dense(2))()
    model.compile(keras.optimizers.Adam(0.25), loss="mse", metrics=["mae"])
    model.fit(np.zeros((4, 3)), np.zeros((4, 2)), verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{ending}"
        model.save(path)
        return path.read_bytes()


def opened(content: bytes, ending: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{ending}"
        path.write_bytes(content)
        return keras.models.load_model(path)


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@pytest.mark.filterwarnings("ignore:A total of 1 objects could not be loaded")
@pytest.mark.parametrize("source", WRITERS)
@pytest.mark.parametrize("target", WRITERS)
def test_loss_metrics_and_optimizer_are_carried(source: str, target: str) -> None:
    model = read_model({f"m.{source}": saved(source)})
    network = opened(WRITERS[target](model), target)
    assert type(network.optimizer) is keras.optimizers.Adam
    assert float(network.optimizer.learning_rate) == 0.25
    assert getattr(network.loss, "__name__", network.loss) == "mean_squared_error"
    network.fit(np.zeros((4, 3)), np.zeros((4, 2)), verbose=0)
