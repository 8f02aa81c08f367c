"""What Keras can save and stock TF.js would get wrong, or Potluck does not read yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest

from potluck_converter import ConversionError, read_model, report
from tests.unit.converter.oracles import L, chain, save_h5

IMAGE, SERIES = (8, 8, 4), (10, 4)


class Doubler(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x * 2


def doubled(x: Any) -> Any:
    return x * 2


def functional(shape: tuple[int, ...], call: Callable[[Any], Any]) -> Callable[[], Any]:
    def build() -> Any:
        x = keras.Input(shape)
        return keras.Model(x, call(x))

    return build


def with_states() -> Any:
    x, h, c = keras.Input(SERIES), keras.Input((3,)), keras.Input((3,))
    return keras.Model([x, h, c], L.LSTM(3, name="it")(x, initial_state=[h, c]))


def it(layer: type[Any], shape: tuple[int, ...], **options: Any) -> Callable[[], Any]:
    def build() -> Any:
        return chain(shape, layer(name="it", **options))()

    return build


LAYER, OPTION = "model.unsupported_layer", "model.unsupported_option"
CASES: dict[str, tuple[str, str, Callable[[], Any]]] = {
    "Lambda": (LAYER, "it", functional((3,), L.Lambda(lambda x: x * 2, name="it"))),
    "custom class": (LAYER, "it", functional((3,), Doubler(name="it"))),
    "unknown class": (LAYER, "it", it(L.AutoContrast, (4, 4, 3))),
    "operation on a number": (LAYER, "power", functional((3,), lambda x: x**3.0)),
    "operation named like a layer": (
        LAYER,
        "reshape",
        functional((4,), lambda x: keras.ops.reshape(x, (-1, 2))),
    ),
    "states passed in": (OPTION, "it.initial_state", with_states),
    "channels first": (
        OPTION,
        "it.data_format",
        it(L.Conv2D, IMAGE, filters=2, kernel_size=2, data_format="channels_first"),
    ),
    "channels first in Flatten": (
        OPTION,
        "it.data_format",
        it(L.Flatten, IMAGE, data_format="channels_first"),
    ),
    "custom activation": (
        OPTION,
        "it.activation",
        functional((3,), L.Dense(2, activation=doubled, name="it")),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_layer_and_reason(name: str) -> None:
    code, where, build = CASES[name]
    keras.backend.clear_session()  # so that operations are numbered afresh
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": save_h5(build())})
    error = caught.value
    assert (error.code, error.where) == (code, where)
    assert f'"{where.partition(".")[0]}"' in error.message
    assert error.expected
    assert error.hint or error.got


def test_half_precision_becomes_float32_with_a_note() -> None:
    model = read_model(
        {"m.h5": save_h5(chain((3,), L.Dense(2, dtype="mixed_float16", name="it"))())}
    )
    assert all(value.dtype == "float32" for value in model.weights.values())
    assert any('"it" was mixed_float16' in note for note in report(model)["warnings"])


def test_training_stated_at_a_call_is_left_out_with_a_note() -> None:
    build = functional((3,), lambda x: L.Dropout(0.5, name="it")(x, training=True))
    warnings = read_model({"m.h5": save_h5(build())}).warnings
    assert [note for note in warnings if '"it" is called with training=True' in note]


def test_random_image_layers_are_read_as_keras_saves_them() -> None:
    # Keras itself writes training: true for them.
    build = functional((4, 4, 3), lambda x: L.RandomRotation(0.1)(L.RandomFlip(name="it")(x)))
    model = read_model({"m.h5": save_h5(build())})
    assert model.graph.layer("it").class_name == "RandomFlip"
    assert model.warnings == ()
