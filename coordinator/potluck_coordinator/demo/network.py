"""The demo's network: a small convolutional one for handwritten digits, written by real Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from potluck import Float
from potluck.model_upload import save_keras

SEARCH: dict[str, object] = {
    "learning_rate": Float(1e-3, 3e-2, log=True),
    "batch_size": [32, 64],
    "layers.dense.units": [32, 64, 128],
    "layers.dropout.rate": [0.1, 0.25, 0.4],
}
RUNGS = [2, 4, 8]


def write_network(path: Path) -> int:
    """Write the network as Keras writes an `.h5` file; gives its number of parameters."""
    import keras

    layers: Any = keras.layers
    network: Any = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv_1"),
            layers.Conv2D(16, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Dropout(0.25, name="dropout"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits_cnn",
    )
    save_keras(network, path)
    return int(network.count_params())
