"""The memory that training takes, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from potluck_converter import read_model, training_memory
from tests.support.keras_files import saved

FLOAT = 4


def memory_of(*layers: Any, shape: tuple[int, ...]) -> Any:
    """Estimate a stack of layers."""
    import keras

    model = keras.Sequential([keras.Input(shape), *layers])
    return training_memory(read_model({"m.h5": saved(model)}).graph)


def test_a_dense_stack_is_counted_number_by_number() -> None:
    import keras

    found = memory_of(keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3), shape=(5,))
    weights = 5 * 8 + 8 + 8 * 3 + 3
    assert found.weights == found.trained == FLOAT * weights
    assert found.activations == FLOAT * (5 + 8 + 3)
    # Weights, gradients and two states of Adam; activations there and back.
    assert found.of(32, 2) == FLOAT * (4 * weights + 2 * 32 * (5 + 8 + 3))


def test_frozen_weights_have_no_gradients_and_no_states() -> None:
    import keras

    found = memory_of(keras.layers.Dense(8, trainable=False), keras.layers.Dense(3), shape=(5,))
    assert found.trained == FLOAT * (8 * 3 + 3)
    assert found.weights == FLOAT * (5 * 8 + 8 + 8 * 3 + 3)


@pytest.mark.parametrize("sequences", [True, False])
def test_a_recurrent_layer_keeps_all_its_steps(sequences: bool) -> None:
    import keras

    found = memory_of(keras.layers.LSTM(7, return_sequences=sequences), shape=(7, 4))
    assert found.activations >= FLOAT * 6 * 7 * 7


def test_larger_batches_and_more_states_take_more() -> None:
    import keras

    found = memory_of(keras.layers.Dense(8), shape=(5,))
    assert found.of(32, 2) < found.of(33, 2)
    assert found.of(32, 2) < found.of(32, 3)
