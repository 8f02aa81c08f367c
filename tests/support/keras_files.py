"""Models saved by real Keras, as a submitter would bring them."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")


def saved(model: Any, suffix: str = ".h5") -> bytes:
    """Save a Keras model; give the file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        return path.read_bytes()


@cache
def dense_h5(inputs: int = 4, outputs: int = 3, activation: str = "softmax") -> bytes:
    """Save a small network: Dense `hidden` (8), then Dense `out`."""
    import keras

    return saved(
        keras.Sequential(
            [
                keras.Input((inputs,)),
                keras.layers.Dense(8, activation="relu", name="hidden"),
                keras.layers.Dense(outputs, activation=activation, name="out"),
            ]
        )
    )


@cache
def digits_h5() -> bytes:
    """Save a small network for 8×8×1 pictures: Flatten, Dense `hidden` (16), Dropout, Dense."""
    import keras

    return saved(
        keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(16, activation="relu", name="hidden"),
                keras.layers.Dropout(0.1, name="dropout"),
                keras.layers.Dense(10, activation="softmax", name="out"),
            ]
        )
    )
