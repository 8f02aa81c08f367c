"""The networks that the engine's bench trains, as Keras builds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from potluck_converter import read_model, tfjs_topology
from tests.support.keras_files import saved

CLASSES = 10


@dataclass(frozen=True)
class Bench:
    """A network, how it is trained, and the rows of an epoch."""

    name: str
    network: str
    batch: int
    optimizer: str = "adam"
    rows: int = 2048
    units: int = 1
    """As many train together as one graph, beside one alone."""


BENCHES = [
    Bench("MLP 64-128-128-10", "mlp128", 32),
    Bench("MLP 64-128-128-10, SGD", "mlp128", 32, "sgd"),
    Bench("MLP 64-512-512-10", "mlp512", 32),
    Bench("MLP 64-512-512-10", "mlp512", 256),
    Bench("CNN 8x8x1", "cnn8", 32, rows=1024),
    Bench("CNN 8x8x1", "cnn8", 256, rows=1024),
    Bench("CNN 28x28x1", "cnn28", 32, rows=256),
    Bench("CNN 28x28x1", "cnn28", 256, rows=256),
    Bench("LSTM(64) over 32x8", "lstm", 32, rows=256),
]

STACKS = [
    Bench("MLP 64-32-32-10", "mlp32", 32, rows=1024, units=8),
    Bench("CNN 8x8x1", "cnn8", 32, rows=256, units=8),
]


def build(network: str) -> Any:
    """Build a network with Keras."""
    import keras

    layers = keras.layers
    last = layers.Dense(CLASSES, activation="softmax")
    if network.startswith("mlp"):
        hidden = [layers.Dense(int(network[3:]), activation="relu") for _ in range(2)]
        return keras.Sequential([keras.Input((64,)), *hidden, last])
    if network == "lstm":
        return keras.Sequential([keras.Input((32, 8)), layers.LSTM(64), last])
    side = int(network[3:])
    return keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            last,
        ]
    )


def task(bench: Bench, backend: str) -> dict[str, Any]:
    """Say what the page has to train."""
    model = read_model({"m.h5": saved(build(bench.network))})
    inputs = build(bench.network).input_shape[1:]
    return {
        "backend": backend,
        "topology": json.loads(json.dumps(tfjs_topology(model.graph))),
        "weights": {name: list(value.shape) for name, value in model.weights.items()},
        "shape": list(inputs),
        "classes": CLASSES,
        "rows": bench.rows,
        "batch": bench.batch,
        "optimizer": bench.optimizer,
        "units": bench.units,
    }
