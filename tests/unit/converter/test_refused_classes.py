"""Keras's own layers that are not read are called that, with what to do; none is called custom."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from potluck_converter.assemble import known_class
from potluck_converter.errors import ConversionError
from potluck_converter.layers import TABLE
from potluck_converter.layers.recurrent import CELLS

OWN = sorted(
    {
        kind.__name__
        for kind in vars(keras.layers).values()
        if isinstance(kind, type) and issubclass(kind, keras.layers.Layer)
    }
    - {*TABLE, *CELLS, "StackedRNNCells", "Layer", "Wrapper"}
)


def refusal(class_name: str) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        known_class("it", class_name)
    error = caught.value
    assert (error.code, error.where) == ("model.unsupported_layer", "it")
    return error


@pytest.mark.parametrize("class_name", OWN)
def test_no_layer_of_keras_s_is_called_custom(class_name: str) -> None:
    error = refusal(class_name)
    assert "custom" not in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("class_name", "reason", "hint"),
    [
        ("RandomCrop", "by chance", "augment the pictures beforehand"),
        ("RandAugment", "by chance", "Leave it out"),
        ("RandomHeight", "by chance", "Leave it out"),
        ("AutoContrast", "prepares pictures", "Leave it out"),
        ("DenseFeatures", "prepares data", "Take it out"),
        ("CuDNNLSTM", "no more", "Use LSTM"),
        ("CuDNNGRU", "no more", "Use GRU"),
        ("KerasLayer", "TensorFlow Hub", "keras.applications"),
        ("ConvLSTM1D", "does not read yet", "ConvLSTM2D"),
        ("TorchModuleWrapper", "program of another library's", "Keras's own layers"),
        ("Mine", "custom", "Keras's own layers"),
    ],
)
def test_a_class_that_is_not_read_is_answered_with_what_to_do(
    class_name: str, reason: str, hint: str
) -> None:
    error: Any = refusal(class_name)
    assert reason in error.message
    assert hint in error.hint
