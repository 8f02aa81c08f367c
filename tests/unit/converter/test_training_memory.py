"""The memory that training takes, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from potluck_converter import read_model, training_memory
from potluck_converter.memory import PLAIN, SCORES, STATES, STATES_ONE_BY_ONE
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
    assert found.sample == FLOAT * PLAIN * (5 + 8 + 3)
    # Weights; weights and two states of Adam, as they are and as they will be; gradients, twice.
    assert found.of(32, 2) == FLOAT * ((1 + 2 * 3 + 2) * weights + 32 * PLAIN * (5 + 8 + 3))


def test_frozen_weights_have_no_gradients_and_no_states() -> None:
    import keras

    found = memory_of(keras.layers.Dense(8, trainable=False), keras.layers.Dense(3), shape=(5,))
    assert found.trained == FLOAT * (8 * 3 + 3)
    assert found.weights == FLOAT * (5 * 8 + 8 + 8 * 3 + 3)


@pytest.mark.parametrize("sequences", [True, False])
def test_a_recurrent_layer_keeps_all_its_steps(sequences: bool) -> None:
    import keras

    found = memory_of(keras.layers.LSTM(7, return_sequences=sequences), shape=(9, 4))
    assert found.sample >= FLOAT * STATES["LSTM"] * 7 * 9
    slow = memory_of(keras.layers.LSTM(7, activation="relu"), shape=(9, 4))
    assert slow.sample >= FLOAT * STATES_ONE_BY_ONE * 7 * 9


def test_what_lies_in_a_layer_counts_as_what_it_is() -> None:
    import keras

    k = keras.layers
    one = memory_of(k.LSTM(7), shape=(9, 4))
    both = memory_of(k.Bidirectional(k.LSTM(7)), shape=(9, 4))
    assert both.sample > 1.9 * one.sample
    cells = memory_of(k.RNN([k.LSTMCell(7), k.GRUCell(5)]), shape=(9, 4))
    assert cells.sample >= FLOAT * STATES_ONE_BY_ONE * 12 * 9


def test_only_the_largest_patches_lie_there_at_a_time() -> None:
    import keras

    k = keras.layers
    small = k.Conv2D(2, 3, padding="same")
    large = k.Conv2D(2, 5, padding="same")
    alone, both = memory_of(large, shape=(8, 8, 2)), memory_of(large, small, shape=(8, 8, 2))
    assert both.sample - alone.sample == FLOAT * PLAIN * 8 * 8 * 2
    alone = memory_of(k.Conv2D(4, 5, padding="same"), shape=(8, 8, 4))
    groups = memory_of(k.Conv2D(4, 5, padding="same", groups=2), shape=(8, 8, 4))
    gaps = memory_of(k.Conv2D(4, 5, padding="same", dilation_rate=2), shape=(8, 8, 4))
    assert groups.sample > gaps.sample > alone.sample


def test_a_convolution_of_each_channel_by_itself_lays_no_windows_out() -> None:
    import keras

    k = keras.layers
    grouped = memory_of(k.Conv2D(4, 7, padding="same", groups=4), shape=(8, 8, 4))
    depthwise = memory_of(k.DepthwiseConv2D(7, padding="same"), shape=(8, 8, 4))
    assert grouped.sample == depthwise.sample == FLOAT * PLAIN * 2 * 8 * 8 * 4
    for gaps in (
        k.Conv2D(4, 7, padding="same", groups=4, dilation_rate=2),
        k.DepthwiseConv2D(7, padding="same", dilation_rate=2),
        k.Conv2D(4, 7, padding="same", groups=4, strides=(2, 1)),
    ):
        assert memory_of(gaps, shape=(8, 8, 4)).sample > 10 * depthwise.sample


def test_attention_takes_each_query_with_each_key_for_each_head() -> None:
    import keras

    inputs = keras.Input((9, 4))
    model = keras.Model(inputs, keras.layers.MultiHeadAttention(3, 2)(inputs, inputs))
    found = training_memory(read_model({"m.h5": saved(model)}).graph)
    assert found.sample >= FLOAT * SCORES["MultiHeadAttention"] * 3 * 9 * 9


def test_larger_batches_and_more_states_take_more() -> None:
    import keras

    found = memory_of(keras.layers.Dense(8), shape=(5,))
    assert found.of(32, 2) < found.of(33, 2)
    assert found.of(32, 2) < found.of(32, 3)
