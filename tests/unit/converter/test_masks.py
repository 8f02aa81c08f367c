"""Masks that Keras 3 recorded are those that travel anyway; a person's own are refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from potluck_converter import ConversionError, read_model, write_keras_h5, write_keras_zip
from tests.unit.converter.oracles import L, save_h5

ops = keras.ops
# Some of the models are about exactly that.
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")


def embedded(*, mask_zero: bool = True) -> tuple[Any, Any]:
    words = keras.Input((5,), dtype="int32")
    return words, L.Embedding(8, 4, mask_zero=mask_zero)(words)


def one(build: Callable[[Any, Any], Any], *, mask_zero: bool = True) -> Callable[[], Any]:
    def made() -> Any:
        words, x = embedded(mask_zero=mask_zero)
        return keras.Model(words, build(words, x))

    return made


def two(build: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    def made() -> Any:
        (a, x), (b, y) = embedded(), embedded()
        return keras.Model([a, b], build(x, y))

    return made


def beside(shape: tuple[int, ...], build: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    def made() -> Any:
        x, mask = keras.Input((5, 3)), keras.Input(shape)
        return keras.Model([x, mask], build(x, mask))

    return made


def lstm(**options: Any) -> Any:
    return L.LSTM(3, name="it", **options)


def heads() -> Any:
    return L.MultiHeadAttention(2, 3, name="it")


def masking() -> Any:
    x = keras.Input((5, 2))
    y = L.TimeDistributed(L.Dense(3))(L.Masking(-1.0)(x))
    return keras.Model(x, lstm()(L.Bidirectional(L.LSTM(3, return_sequences=True))(y)))


def into_nested() -> Any:
    words, x = embedded()
    inside = keras.Input((5, 4))
    inner = keras.Model(inside, lstm()(L.Dense(3)(inside)))
    return keras.Model(words, inner(x))


def out_of_nested_twice() -> Any:
    words, x = embedded()
    inner = keras.Model(words, L.LSTM(4, return_sequences=True)(x), name="inner")
    a, b = keras.Input((5,), dtype="int32"), keras.Input((5,), dtype="int32")
    shared = L.LSTM(3)
    return keras.Model([a, b], L.Add()([shared(inner(a)), shared(inner(b))]))


TRAVELS: dict[str, Callable[[], Any]] = {
    "joined features": one(
        lambda _, x: lstm()(L.Concatenate()([x, L.LSTM(2, return_sequences=True)(x)]))
    ),
    "joined with one that has none": one(
        lambda _, x: lstm()(L.Concatenate()([x, L.Conv1D(4, 1)(x)]))
    ),
    "joined twice": one(lambda _, x: lstm()(L.Concatenate()([x, L.Concatenate()([x, x])]))),
    "joined in time": two(lambda x, y: lstm()(L.Concatenate(axis=1)([x, y]))),
    "joined in time, counted from the end": two(
        lambda x, y: lstm()(L.Concatenate(axis=-2)([x, y]))
    ),
    "sum of two": two(lambda x, y: lstm()(L.Add()([x, y]))),
    "sum with attention": one(lambda _, x: lstm()(L.Add()([x, L.Attention()([x, x])]))),
    "product with attention": one(
        lambda _, x: lstm()(L.Multiply()([x, L.AdditiveAttention()([x, x])]))
    ),
    "heads": one(lambda _, x: L.GlobalAveragePooling1D()(L.Add()([x, heads()(x, x)]))),
    "normalised": one(lambda _, x: lstm()(L.Softmax()(L.BatchNormalization()(x)))),
    "masking": masking,
    "into a model inside": into_nested,
    "out of a model inside": out_of_nested_twice,
    "passed, but the same": one(lambda words, x: lstm()(x, mask=ops.not_equal(words, 0))),
}

REFUSED: dict[str, tuple[str, Callable[[], Any]]] = {
    "attention mask": (
        "attention_mask",
        beside((5, 5), lambda x, m: heads()(x, x, attention_mask=ops.not_equal(m, 0))),
    ),
    "attention mask as an input": (
        "attention_mask",
        beside((5, 5), lambda x, m: heads()(x, x, attention_mask=m)),
    ),
    "query mask": (
        "query_mask",
        beside((5,), lambda x, m: heads()(x, x, query_mask=ops.not_equal(m, 0))),
    ),
    "mask as an input": ("mask", beside((5,), lambda x, m: lstm()(x, mask=m))),
    "none travels": (
        "mask",
        one(lambda words, x: lstm()(x, mask=ops.not_equal(words, 0)), mask_zero=False),
    ),
    "lost on the way": (
        "mask",
        one(lambda words, x: lstm()(L.Conv1D(4, 1)(x), mask=ops.not_equal(words, 0))),
    ),
    "another number": ("mask", one(lambda words, x: lstm()(x, mask=ops.not_equal(words, 1)))),
    "turned around": ("mask", one(lambda words, x: lstm()(x, mask=ops.equal(words, 0)))),
    "another input's": ("mask", two(lambda x, y: lstm()(x, mask=y._keras_mask))),
    "both instead of either": (
        "mask",
        two(
            lambda x, y: lstm()(L.Add()([x, y]), mask=ops.logical_and(x._keras_mask, y._keras_mask))
        ),
    ),
    "one of two": (
        "mask",
        two(lambda x, y: L.Attention(name="it")([x, y], mask=[x._keras_mask, None])),
    ),
}


def save_zip(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


@pytest.mark.parametrize("name", TRAVELS)
def test_a_mask_that_travels_with_its_tensor_is_read(name: str) -> None:
    model = TRAVELS[name]()
    graph = read_model({"m.h5": save_h5(model)}).graph
    classes = {layer.class_name for layer in graph.layers}
    assert not classes & {"NotEqual", "Any", "LogicalOr", "ExpandDims", "ConvertToTensor"}
    assert read_model({"m.keras": save_zip(model)}).graph == graph


@pytest.mark.parametrize("name", REFUSED)
def test_a_mask_of_the_persons_own_is_refused(name: str) -> None:
    key, build = REFUSED[name]
    model = build()
    for file, content in (("m.h5", save_h5(model)), ("m.keras", save_zip(model))):
        with pytest.raises(ConversionError) as caught:
            read_model({file: content})
        error = caught.value
        assert (error.code, error.where) == ("model.unsupported_option", f"it.{key}")
        assert key in error.message
        assert error.expected
        assert error.hint


def test_a_step_of_a_mask_that_a_layer_takes_is_refused_as_an_operation() -> None:
    model = one(lambda _, x: L.Dense(2)(ops.concatenate([x, x])))()
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": save_h5(model)})
    assert caught.value.code == "model.unsupported_layer"
    assert "bare operation (Concatenate)" in caught.value.message


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_keras_opens_joins_that_are_named_as_it_names_its_own(ending: str, tmp_path: Path) -> None:
    keras.backend.clear_session()  # so that names are numbered afresh, as for a person
    read = read_model({"m.keras": save_zip(TRAVELS["joined features"]())})
    assert read.graph.layer("concatenate").class_name == "Concatenate"
    path = tmp_path / f"m.{ending}"
    path.write_bytes(write_keras_h5(read) if ending == "h5" else write_keras_zip(read))
    keras.backend.clear_session()
    assert "concatenate_layer" in [layer.name for layer in keras.models.load_model(path).layers]
