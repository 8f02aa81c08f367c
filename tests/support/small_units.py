"""Small trainings for donors without a browser: networks of many kinds, with rows and a recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck.protocol.optimizers import AnyOptimizer, Sgd
from potluck.protocol.study import LossName, LossOptions
from potluck_converter import Model, read_model, tfjs_topology
from potluck_coordinator.training.checkpoint import State, write_checkpoint, write_tensors
from potluck_coordinator.training.unit_training import Training
from tests.support.keras_files import saved

ROWS, BATCH, SEED = 20, 8, 3
MOMENTUM = Sgd(learning_rate=0.1, momentum=0.5)


@dataclass(frozen=True)
class SmallUnit:
    """A network of Keras's, rows for it, and the part of a unit that decides its weights."""

    model: Model
    data: Mapping[str, NDArray[Any]]
    optimizer: AnyOptimizer = MOMENTUM
    loss: LossName = "sparse_categorical_crossentropy"
    loss_options: LossOptions = field(default_factory=LossOptions)
    from_logits: bool = False
    rows: int = ROWS
    batch_size: int = BATCH
    seed: int = SEED

    @property
    def steps_per_epoch(self) -> int:
        """Count an epoch's batches; the last is smaller."""
        return -(-self.rows // self.batch_size)

    @property
    def topology(self) -> dict[str, Any]:
        """Give TF.js layers JSON, as a coordinator would send it."""
        return tfjs_topology(self.model.graph)

    @property
    def recipe(self) -> dict[str, Any]:
        """Give the recipe as the engine's check page takes it."""
        names = ("rows", "batch_size", "steps_per_epoch", "loss", "from_logits", "seed")
        return {name: getattr(self, name) for name in names} | {
            "optimizer": self.optimizer.model_dump(),
            "loss_options": self.loss_options.model_dump(),
        }

    def open(self, checkpoint: bytes | None = None) -> Training:
        """Open the unit from its start, or from a checkpoint."""
        start = checkpoint or write_checkpoint(State(dict(self.model.weights), 0, 0))
        topology = json.dumps(self.topology).encode()
        return Training(self, topology, start, write_tensors(self.data))

    def train(self, steps: int) -> State:
        """Train from the start."""
        training = self.open()
        while training.step < steps:
            training.advance()
        return training.state()

    def with_rate(self, factor: float) -> SmallUnit:
        """Change the learning rate."""
        rate = self.optimizer.learning_rate * factor
        return replace(self, optimizer=self.optimizer.model_copy(update={"learning_rate": rate}))


def small_unit(network: Any, **changes: Any) -> SmallUnit:
    """Make a unit of a Keras network with one input and classes as output."""
    draw = np.random.default_rng(8)
    shape = (ROWS, *network.input_shape[1:])
    tokens = network.inputs[0].dtype == "int32"
    x = draw.integers(1, 12, shape) if tokens else draw.normal(size=shape)
    classes = network.output_shape[-1]
    data = {
        "x": x.astype(np.int32 if tokens else np.float32),
        "y": draw.integers(0, classes, ROWS).astype(np.int32),
    }
    return SmallUnit(read_model({"m.h5": saved(network)}), data, **changes)


def stacked(shape: tuple[int, ...], *layers: Any, dtype: str = "float32") -> Any:
    """Stack layers on an input, with three classes at the end."""
    import keras

    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input(shape, dtype=dtype), *layers])
    if len(model.output_shape) > 2:  # TF.js flattens nothing that is flat
        model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(3, activation="softmax"))
    return model


def networks() -> dict[str, Any]:
    """Give functions that make networks, by what is special about them."""
    import keras

    k = keras.layers

    def attention() -> Any:
        keras.utils.set_random_seed(2)
        inputs = keras.Input((5, 4))
        seen = k.MultiHeadAttention(2, 3, dropout=0.3, use_bias=False, name="heads")(inputs, inputs)
        seen = k.Attention(dropout=0.3, name="looking")([seen, inputs])
        return keras.Model(inputs, k.Dense(3, activation="softmax")(k.Flatten()(seen)))

    def bounded() -> Any:
        network = stacked(
            (6,),
            k.Dense(7, activation="relu", trainable=False),
            # A bias starts at zero, where |x| has no slope.
            k.Dense(9, activation="tanh", kernel_regularizer="l2", bias_regularizer="l1"),
            k.Dense(8, kernel_constraint=keras.constraints.MaxNorm(0.8), name="bounded"),
        )
        # TF.js applies a constraint as soon as it loads a weight, Keras after a step.
        kernel = network.get_layer("bounded").kernel
        kernel.assign(kernel.constraint(kernel))
        return network

    return {
        "penalties, constraints, a frozen layer": bounded,
        "batch normalization": lambda: stacked(
            (7, 7, 2),
            k.Conv2D(4, 3, padding="same", use_bias=False),
            k.BatchNormalization(momentum=0.8),
            k.ReLU(),
            k.MaxPooling2D(2),
        ),
        "embedding and lstm": lambda: stacked(
            (9,), k.Embedding(12, 4), k.LSTM(6, return_sequences=True), dtype="int32"
        ),
        "dropout": lambda: stacked(
            (8, 4),
            k.Dropout(0.3, name="drop"),
            k.Dense(5, activation="relu"),
            k.SpatialDropout1D(0.4, name="channels"),
            k.AlphaDropout(0.2, name="alpha"),
        ),
        "normal noise": lambda: stacked(
            (6,),
            k.GaussianNoise(0.3, name="noise"),
            k.Dense(7, activation="tanh"),
            k.GaussianDropout(0.3, name="factors"),
        ),
        "masks in recurrent layers": lambda: stacked(
            (5, 4),
            k.LSTM(4, dropout=0.3, return_sequences=True, name="first"),
            k.GRU(3, dropout=0.2, recurrent_dropout=0.3, name="second"),
        ),
        "masks in attention": attention,
    }
