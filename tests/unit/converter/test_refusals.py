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


def shared() -> Any:
    x = keras.Input((4,))
    dense = L.Dense(4, name="it")
    return keras.Model(x, dense(dense(x)))


def masked() -> Any:
    x = keras.Input((5,), dtype="int32")
    return keras.Model(x, L.LSTM(2)(L.Embedding(4, 3, mask_zero=True, name="it")(x)))


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
    "unknown class": (LAYER, "it", it(L.LeakyReLU, (3,))),
    "nested model": (
        LAYER,
        "it",
        functional((3,), lambda x: keras.Sequential([L.Dense(2)], name="it")(x)),
    ),
    "operation on a number": (LAYER, "multiply", functional((3,), lambda x: x * 2.0)),
    "operation named like a layer": (LAYER, "softmax", functional((3,), keras.ops.softmax)),
    "shared layer": (OPTION, "it", shared),
    "states passed in": (OPTION, "it.initial_state", with_states),
    "training=True": (
        OPTION,
        "it.training",
        functional((3,), lambda x: L.Dropout(0.5, name="it")(x, training=True)),
    ),
    "causal": (
        OPTION,
        "it.padding",
        it(L.Conv1D, SERIES, filters=2, kernel_size=2, padding="causal"),
    ),
    "dilation": (
        OPTION,
        "it.dilation_rate",
        it(L.Conv2D, IMAGE, filters=2, kernel_size=2, dilation_rate=2),
    ),
    "groups": (OPTION, "it.groups", it(L.Conv2D, IMAGE, filters=2, kernel_size=2, groups=2)),
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
    "hard_sigmoid": (
        OPTION,
        "it.activation",
        it(L.Dense, (3,), units=2, activation="hard_sigmoid"),
    ),
    "unknown activation": (
        OPTION,
        "it.activation",
        it(L.Dense, (3,), units=2, activation="exponential"),
    ),
    "custom activation": (
        OPTION,
        "it.activation",
        functional((3,), L.Dense(2, activation=doubled, name="it")),
    ),
    "activity regularizer": (
        OPTION,
        "it.activity_regularizer",
        it(L.Conv1D, SERIES, filters=2, kernel_size=2, activity_regularizer="l2"),
    ),
    "other regularizer": (
        OPTION,
        "it.kernel_regularizer",
        it(L.Dense, (3,), units=2, kernel_regularizer=keras.regularizers.OrthogonalRegularizer()),
    ),
    "constraint": (
        OPTION,
        "it.kernel_constraint",
        it(L.Dense, (3,), units=2, kernel_constraint="max_norm"),
    ),
    "slope": (OPTION, "it.negative_slope", it(L.ReLU, (3,), negative_slope=0.1)),
    "threshold": (OPTION, "it.threshold", it(L.ReLU, (3,), threshold=1.0)),
    "softmax over another axis": (OPTION, "it.axis", it(L.Softmax, SERIES, axis=1)),
    "keepdims": (OPTION, "it.keepdims", it(L.GlobalMaxPooling2D, IMAGE, keepdims=True)),
    "mean of padded windows": (
        OPTION,
        "it.padding",
        it(L.AveragePooling2D, IMAGE, pool_size=3, padding="same"),
    ),
    "no scale": (OPTION, "it.scale", it(L.BatchNormalization, (3,), scale=False)),
    "no center": (OPTION, "it.center", it(L.BatchNormalization, (3,), center=False)),
    "normalized over another axis": (OPTION, "it.axis", it(L.BatchNormalization, IMAGE, axis=1)),
    "frozen BatchNormalization": (
        OPTION,
        "it.trainable",
        it(L.BatchNormalization, (3,), trainable=False),
    ),
    "noise shape": (
        OPTION,
        "it.noise_shape",
        it(L.Dropout, SERIES, rate=0.5, noise_shape=(None, 1, 4)),
    ),
    "mask": (OPTION, "it.mask_zero", masked),
    "backwards": (OPTION, "it.go_backwards", it(L.LSTM, SERIES, units=2, go_backwards=True)),
    "LSTM dropout": (OPTION, "it.dropout", it(L.LSTM, SERIES, units=2, dropout=0.1)),
    "recurrent dropout": (
        OPTION,
        "it.recurrent_dropout",
        it(L.LSTM, SERIES, units=2, recurrent_dropout=0.1),
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
