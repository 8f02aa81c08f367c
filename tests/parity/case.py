"""What one parity case is: a model, told in words that Keras 2 and Keras 3 both understand."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Build = Callable[[Any], Any]
"""Given the keras module, build the model."""


@dataclass(frozen=True)
class Case:
    """One model. `keras2`: whether Keras 2 has it, meaning the same."""

    name: str
    build: Build
    keras2: bool = True
    training: bool = True
    """Whether gradients are of the training pass; not where it draws random numbers."""
    low: float = -1.0
    high: float = 1.0
    """What inputs are drawn from; whole numbers from 0 to 7 always."""
    zero_tail: bool = False
    """Whether later steps of the first input are zeros, so that a mask has something to hide."""
    gradients: bool = True
    """Whether Keras itself has gradients for it."""

    masks: bool = False
    """Whether a mask is computed from a float input, which TF.js then cannot differentiate by."""
    h5: bool = True
    """Whether Keras 3 manages to save it as `.h5`."""

    @property
    def seed(self) -> int:
        """Give a seed of the case's own."""
        return zlib.crc32(self.name.encode())


def chain(
    shape: Sequence[int | None], layers: Callable[[Any], Sequence[Any]], dtype: str = "float32"
) -> Build:
    """Give a builder of a Sequential; `layers` makes them from the module `keras.layers`."""

    def build(keras: Any) -> Any:
        start = keras.layers.InputLayer(shape, dtype=dtype) if is_keras2(keras) else None
        start = start or keras.Input(tuple(shape), dtype=dtype)
        return keras.Sequential([start, *layers(keras.layers)])

    return build


def layer(cls: str, *args: Any, **options: Any) -> Callable[[Any], Sequence[Any]]:
    """Give what `chain` takes, for one layer by its class's name."""
    return lambda layers: [getattr(layers, cls)(*args, **options)]


def is_keras2(keras: Any) -> bool:
    """Say whether the module is Keras 2 (tf_keras)."""
    return str(keras.__version__).startswith("2.")


def draw_inputs(model: Any, case: Case) -> list[Array]:
    """Draw three rows for each input; open lengths are 6."""
    random = np.random.default_rng(case.seed)
    found: list[Array] = []
    for tensor in model.inputs:
        shape = [6 if n is None else int(n) for n in tuple(tensor.shape)[1:]]
        if "int" in str(tensor.dtype):
            drawn: Array = random.integers(0, 8, (3, *shape)).astype("int32")
        else:
            drawn = random.uniform(case.low, case.high, (3, *shape)).astype("float32")
        found.append(drawn)
    if case.zero_tail:
        for row in range(3):
            found[0][row, 2 + row :] = 0
    return found


def draw_weights(model: Any, case: Case) -> None:
    """Give every weight a value of its own; variances stay positive and counts whole."""
    random = np.random.default_rng(case.seed + 1)
    for variable in model.weights:
        name = getattr(variable, "path", variable.name)
        if "seed" in name or "count" in name or "int" in str(variable.dtype):
            continue
        low, high = (0.5, 1.5) if "variance" in name else (-0.6, 0.8)
        variable.assign(random.uniform(low, high, tuple(variable.shape)).astype("float32"))
        # TF.js applies a constraint as soon as it loads a weight, Keras after a step.
        constraint = getattr(variable, "constraint", None)
        if constraint is not None:
            variable.assign(constraint(variable))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # what Normalization computes from its variables
            layer.finalize_state()


def draw_cotangents(outputs: Sequence[Array], case: Case) -> list[Array]:
    """Draw what each output is multiplied by before the sum whose gradient is compared."""
    random = np.random.default_rng(case.seed + 2)
    return [random.uniform(-1.0, 1.0, y.shape).astype("float32") for y in outputs]
