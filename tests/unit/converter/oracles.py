"""Models built and saved by real Keras 3, one for each layer and its options."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from numpy.typing import NDArray

L: Any = keras.layers
Floats = NDArray[np.float32]
Build = Callable[[], Any]

FIXTURES = Path(__file__).parents[2] / "fixtures" / "models"
KERAS2 = ("cnn", "functional", "slashed")


@dataclass(frozen=True)
class Oracle:
    """A saved file, inputs for it, and what Keras predicts."""

    content: bytes
    inputs: list[NDArray[Any]]
    outputs: list[Floats]
    weights: dict[str, Floats]
    shapes: dict[str, tuple[int | None, ...]]
    trainable: set[str]


def chain(shape: tuple[int | None, ...], *layers: Any, dtype: str = "float32") -> Build:
    """Make a Sequential of fresh copies of layers, so that each test has its own."""
    configs = [(type(layer), layer.get_config()) for layer in layers]

    def build() -> Any:
        made = [cls.from_config(config) for cls, config in configs]
        return keras.Sequential([keras.Input(shape, dtype=dtype), *made])

    return build


def branches() -> Any:
    """Build a graph with two inputs, two outputs, joins and a branch."""
    words = keras.Input((6,), dtype="int32", name="words")
    picture = keras.Input((8, 8, 2), name="picture")
    a = L.LSTM(5)(L.Embedding(9, 4)(words))
    b = L.Conv2D(3, 3, padding="same", strides=2, activation="relu")(picture)
    b = L.BatchNormalization()(b)
    b = L.Dropout(0.5)(b)
    c = L.GlobalAveragePooling2D()(b)
    d = L.Dense(5, activation="silu")(L.Flatten()(b))
    joined = L.Concatenate()([L.Add()([a, d]), c])
    return keras.Model(
        [words, picture],
        [L.Dense(3, activation="softmax", name="kind")(joined), L.Dense(1, name="size")(c)],
    )


def rank_three_joins() -> Any:
    """Join along an inner axis, and add a stretched length."""
    x = keras.Input((4, 3))
    y = L.Conv1D(3, 2, padding="same")(x)
    joined = L.Concatenate(axis=1)([x, y])
    pooled = L.MaxPooling1D(8)(joined)
    return keras.Model(x, L.Add()([joined, pooled]))


def activations() -> Any:
    """Give each activation an output, and a weight before it."""
    x = keras.Input((6,))
    return keras.Model(x, [L.Activation(name)(L.Dense(4)(x)) for name in ACTIVATIONS])


IMAGE, SERIES = (9, 8, 3), (10, 4)
ACTIVATIONS = (
    *("relu", "relu6", "elu", "selu", "sigmoid", "softmax", "softplus", "softsign"),
    *("tanh", "silu", "gelu", "mish", "linear"),
)
CASES: dict[str, Build] = {
    "dense": chain((5,), L.Dense(4, activation="relu"), L.Dense(2)),
    "dense_without_bias": chain((5,), L.Dense(4, use_bias=False)),
    "dense_on_a_sequence": chain(SERIES, L.Dense(3, kernel_regularizer="l1"), L.Flatten()),
    "regularized": chain(
        (3,),
        L.Dense(2, kernel_regularizer="l2", bias_regularizer=keras.regularizers.L1L2(0.1, 0.2)),
    ),
    "frozen": chain((3,), L.Dense(4, trainable=False), L.Dense(2)),
    "activations": activations,
    "relu_layer": chain((6,), L.ReLU(max_value=1.5), L.Dense(2)),
    "softmax_layer": chain((4, 6), L.Dense(6), L.Softmax(), L.Flatten()),
    "reshape": chain((12,), L.Reshape((3, -1)), L.Dense(2), L.Flatten()),
    "dropout": chain((6,), L.Dropout(0.4, seed=5), L.Dense(2)),
    "conv1d": chain(SERIES, L.Conv1D(3, 3, strides=2, activation="tanh"), L.Flatten()),
    "conv1d_same": chain(SERIES, L.Conv1D(3, 4, padding="same", use_bias=False), L.Flatten()),
    "conv2d": chain(IMAGE, L.Conv2D(4, (3, 2), strides=(2, 1)), L.Flatten()),
    "conv2d_same": chain(IMAGE, L.Conv2D(4, 3, strides=2, padding="same"), L.Flatten()),
    "max_pooling1d": chain(SERIES, L.Dense(3), L.MaxPooling1D(3, strides=2), L.Flatten()),
    "max_pooling2d": chain(IMAGE, L.Dense(3), L.MaxPooling2D((2, 3), padding="same"), L.Flatten()),
    "average_pooling1d": chain(
        SERIES, L.Dense(3), L.AveragePooling1D(2, padding="same"), L.Flatten()
    ),
    "average_pooling2d": chain(IMAGE, L.Dense(3), L.AveragePooling2D(3, strides=2), L.Flatten()),
    "global_max1d": chain(SERIES, L.Dense(3), L.GlobalMaxPooling1D()),
    "global_max2d": chain(IMAGE, L.Dense(3), L.GlobalMaxPooling2D()),
    "global_average1d": chain((None, 4), L.Dense(3), L.GlobalAveragePooling1D()),
    "global_average2d": chain(IMAGE, L.Dense(3), L.GlobalAveragePooling2D()),
    "batch_norm_flat": chain((5,), L.Dense(4), L.BatchNormalization(momentum=0.9), L.Dense(2)),
    "batch_norm_image": chain(IMAGE, L.BatchNormalization(axis=3, epsilon=0.01), L.Flatten()),
    "batch_norm_series": chain(SERIES, L.BatchNormalization(), L.Flatten()),
    "lstm": chain(SERIES, L.LSTM(5)),
    "lstm_sequences": chain(
        (None, 4), L.LSTM(3, return_sequences=True, activation="relu"), L.LSTM(2, use_bias=False)
    ),
    "embedding": chain((7,), L.Embedding(8, 3), L.Flatten(), L.Dense(2), dtype="int32"),
    "branches": branches,
    "rank_three_joins": rank_three_joins,
}


@cache
def oracle(name: str) -> Oracle:
    """Build, randomise and save a case, and predict with it."""
    return saved(CASES[name]())


def saved(model: Any) -> Oracle:
    """Randomise and save a model, and predict with it."""
    random = np.random.default_rng(11)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.path else -0.6
        weight.assign(random.uniform(low, 0.9, weight.shape))
    for layer in model.layers:
        if isinstance(layer, L.Normalization):
            layer.finalize_state()
    inputs = [sample(tensor, random) for tensor in model.inputs]
    return Oracle(
        save_h5(model),
        inputs,
        predict(model, inputs),
        weights_of(model),
        {
            layer.name: tuple(layer.output.shape[1:])
            for layer in model.layers
            if not isinstance(layer.output, list)
        },
        {f"{layer.name}/{w.name}" for layer in model.layers for w in layer.trainable_weights},
    )


def weights_of(model: Any) -> dict[str, Floats]:
    """Give a Keras model's weights by `<layer>/<weight>`."""
    return {
        f"{layer.name}/{weight.name}": np.asarray(weight)
        for layer in model.layers
        for weight in layer.weights
        if "seed" not in weight.name
    }


def sample(tensor: Any, random: np.random.Generator) -> NDArray[Any]:
    """Draw three rows for an input; open lengths are 6."""
    shape = [6 if n is None else n for n in tensor.shape[1:]]
    if "int" in str(tensor.dtype):
        return random.integers(0, 8, (3, *shape)).astype("int32")
    return random.normal(0.0, 1.0, (3, *shape)).astype("float32")


def predict(model: Any, inputs: list[NDArray[Any]]) -> list[Floats]:
    """Give every output of a Keras model, in order."""
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(y) for y in (outputs if isinstance(outputs, list) else [outputs])]


def save_h5(model: Any) -> bytes:
    """Save with Keras's own writer."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        model.save(path)
        return path.read_bytes()


def load_h5(content: bytes) -> Any:
    """Load with Keras's own reader."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        path.write_bytes(content)
        return keras.models.load_model(path)


def keras2(name: str) -> Oracle:
    """Give a checked-in Keras 2 file with its inputs and predictions."""
    with np.load(FIXTURES / f"keras2_{name}.npz") as arrays:
        inputs = [arrays[key] for key in sorted(arrays) if key.startswith("x")]
        outputs = [arrays[key] for key in sorted(arrays) if key.startswith("y")]
    return Oracle((FIXTURES / f"keras2_{name}.h5").read_bytes(), inputs, outputs, {}, {}, set())


def difference(found: list[Floats], expected: list[Floats]) -> float:
    """Give the largest difference relative to max(1, largest value)."""
    assert [y.shape for y in found] == [y.shape for y in expected]
    return max(
        float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
        for a, b in zip(found, expected, strict=True)
    )
