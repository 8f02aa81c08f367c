"""Models as people build them on others: arithmetic between layers, and a base that is frozen."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck_converter import ConversionError, read_model, trainable_weights, write_keras_zip
from potluck_converter.graph import Model
from tests.unit.converter.keras2_configs import keras2_h5
from tests.unit.converter.oracles import L, difference, predict, sample, save_h5

ops = keras.ops
SHAPE = (4, 5, 3)
MEANS = np.array([0.5, -1.0, 2.0], "float32")


def built(compute: Callable[[Any], Any], shape: tuple[int, ...] = SHAPE) -> Any:
    keras.backend.clear_session()
    x = keras.Input(shape, name="x")
    return keras.Model(x, compute(x))


def save_zip(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def opened(model: Model) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(write_keras_zip(model))
        return keras.models.load_model(path)


def check(model: Any, read: Model) -> None:
    """Insist on the predictions of the original."""
    inputs = [4 * sample(one, np.random.default_rng(3)) for one in model.inputs]
    found, expected = predict(opened(read), inputs), predict(model, inputs)
    scale = max(1.0, *(float(np.abs(y).max()) for y in expected))
    assert difference(found, expected) <= 1e-5 * scale


COMPUTED: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "x * 2 - 1": (lambda x: x * 2 - 1, ["Rescaling", "Rescaling"]),
    "x / 127.5 - 1": (lambda x: x / 127.5 - 1, ["Rescaling", "Rescaling"]),
    "1 - x": (lambda x: 1 - x, ["Rescaling"]),
    "-x": (lambda x: -x, ["Rescaling"]),
    "0.5 + 2 * x": (lambda x: 0.5 + 2 * x, ["Rescaling", "Rescaling"]),
    "x - means": (lambda x: x - MEANS, ["Rescaling"]),
    "means * x": (lambda x: ops.multiply(MEANS, x), ["Rescaling"]),
    "x / means": (lambda x: x / MEANS.reshape(1, 1, 3), ["Rescaling"]),
    "by keyword": (lambda x: ops.subtract(x1=3.0, x2=x), ["Rescaling"]),
    "cast": (lambda x: ops.cast(x, "float32") + 1.0, ["Rescaling", "Rescaling"]),
    "x + y": (lambda x: x + L.Dense(3)(x), ["Dense", "Add"]),
    "x - y": (lambda x: x - L.Dense(3)(x), ["Dense", "Subtract"]),
    "x * y": (lambda x: L.Dense(1)(x) * x, ["Dense", "Multiply"]),
    "hard swish": (lambda x: x * (L.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)), []),
}
ONLY_KERAS3: dict[str, Callable[[Any], Any]] = {
    "square": lambda x: x**2,
    "activation": lambda x: ops.silu(ops.relu6(x)),
    "join": lambda x: ops.concatenate([x, 2 * x], axis=-1),
    "preprocess tf": lambda x: imagenet(x, "tf"),
    "preprocess caffe": lambda x: imagenet(x, "caffe"),
    "channels reversed": lambda x: x[..., ::-1],
    "two channels": lambda x: x[:, :, :, :2],
    "last channel": lambda x: x[..., 2:],
    "preprocess torch": lambda x: imagenet(x, "torch"),
}


def imagenet(x: Any, mode: str) -> Any:
    return keras.applications.imagenet_utils.preprocess_input(x, mode=mode)


@pytest.mark.parametrize("name", COMPUTED)
def test_arithmetic_between_layers_is_read_as_layers(name: str) -> None:
    compute, classes = COMPUTED[name]
    model = built(compute)
    for file, content in (
        ("m.keras", save_zip(model)),
        ("m.h5", save_h5(model)),
        ("k2.h5", keras2_h5(model)),
    ):
        read = read_model({file: content})
        found = [layer.class_name for layer in read.graph.layers]
        assert not classes or sorted(found) == sorted(["InputLayer", *classes])
        check(model, read)


@pytest.mark.parametrize("name", ONLY_KERAS3)
def test_operations_that_a_layer_computes_are_read(name: str) -> None:
    model = built(ONLY_KERAS3[name])
    check(model, read_model({"m.keras": save_zip(model)}))


constants = st.floats(-8, 8, width=32).filter(lambda c: abs(c) > 0.1)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("+-*/rn"), constants), min_size=1, max_size=6))
def test_chains_of_arithmetic_predict_as_before(chain: list[tuple[str, float]]) -> None:
    steps: dict[str, Callable[[Any, float], Any]] = {
        "+": lambda x, c: c + x,
        "-": lambda x, c: x - c,
        "*": lambda x, c: x * c,
        "/": lambda x, c: x / c,
        "r": lambda x, c: c - x,
        "n": lambda x, _: -x,
    }

    def compute(x: Any) -> Any:
        for kind, c in chain:
            x = steps[kind](x, c)
        return x

    model = built(compute, (3,))
    check(model, read_model({"m.h5": save_h5(model)}))
    check(model, read_model({"m.h5": keras2_h5(model)}))


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "1 / x": (lambda x: 1 / x, "bare operation"),
    "x / y": (lambda x: x / L.Dense(3)(x), "bare operation"),
    "x // 2": (lambda x: x // 2, "bare operation"),
    "x / 0": (lambda x: x / 0.0, "constant"),
    "one channel": (lambda x: L.Flatten()(x[..., 1]), "bare operation"),
    "part of an image": (lambda x: x[:, 1:3], "bare operation"),
    "an array of places": (lambda x: x + np.ones((5, 3), "float32"), "constant"),
    "other axes": (lambda x: L.Dense(3)(x) + L.GlobalMaxPooling2D()(x), "numbers of axes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_layer_computes_is_refused(name: str) -> None:
    compute, said = REFUSED[name]
    x = keras.Input(SHAPE, batch_size=5 if name == "other axes" else None)
    with pytest.raises(ConversionError) as caught:
        read_model({"m.keras": save_zip(keras.Model(x, compute(x)))})
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("channels", [3, 4])
def test_images_that_keras_2_turns_from_rgb_to_bgr_are_read(channels: int) -> None:
    model = built(lambda x: x[..., ::-1] + 1.0, (4, 5, channels))
    content = keras2_h5(model)
    if channels == 3:
        check(model, read_model({"m.h5": content}))
        return
    # Keras 2 does not say how many there are.
    with pytest.raises(ConversionError):
        read_model({"m.h5": content})


def test_small_whole_numbers_that_would_wrap_round_are_refused() -> None:
    x = keras.Input((3,), dtype="uint8")
    with pytest.raises(ConversionError):
        read_model({"m.keras": save_zip(keras.Model(x, x * 2))})
    read = read_model({"m.keras": save_zip(keras.Model(x, x / 255))})
    assert [layer.class_name for layer in read.graph.layers] == ["InputLayer", "Rescaling"]


def test_an_operation_on_a_masked_tensor_is_refused() -> None:
    words = keras.Input((5,), dtype="int32")
    y = L.GlobalAveragePooling1D()(L.Embedding(8, 4, mask_zero=True)(words) * 2.0)
    with pytest.raises(ConversionError, match="mask"):
        read_model({"m.keras": save_zip(keras.Model(words, y))})


def base(*, frozen: bool) -> Any:
    """Make a small network to build upon, with statistics of its own."""
    random = np.random.default_rng(1)
    found = keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(6, name="wide"),
            L.BatchNormalization(name="norm"),
            L.Dropout(0.5, name="drop"),
            L.GaussianNoise(0.3, name="noise"),
        ],
        name="base",
    )
    found.set_weights([np.abs(random.normal(size=w.shape)) for w in found.get_weights()])
    found.trainable = not frozen
    return found


def on_base(*, frozen: bool) -> Any:
    x = keras.Input((4,), name="x")
    return keras.Model(x, L.Dense(1, name="head")(base(frozen=frozen)(x, training=False)))


@pytest.mark.parametrize("keras2", [True, False])
def test_a_frozen_base_called_with_training_false_is_read(keras2: bool) -> None:
    model = on_base(frozen=True)
    content = keras2_h5(model, quiet=("base",)) if keras2 else save_h5(model)
    read = read_model({"m.h5": content})
    check(model, read)
    assert trainable_weights(read.graph) == {"head/kernel", "head/bias"}
    # Keras 2 heeds it while training; Keras 3's `fit` says training=True anew.
    assert read.graph.layer("drop").config["rate"] == (0.0 if keras2 else 0.5)
    assert read.graph.layer("noise").config["stddev"] == (0.0 if keras2 else 0.3)


def test_a_batch_normalization_that_trains_is_not_called_with_training_false() -> None:
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": keras2_h5(on_base(frozen=False), quiet=("base",))})
    assert caught.value.where == "norm.training"
    assert "base.trainable = False" in caught.value.hint


def test_dropout_inside_layers_ends_with_training_false() -> None:
    x = keras.Input((6, 8, 8, 3), name="x")
    y = L.RandomFlip(name="flip")(L.Reshape((48, 8, 3))(x))
    y = L.Reshape((6, 192))(y)
    y = L.Bidirectional(L.LSTM(2, dropout=0.4, return_sequences=True), name="both")(y)
    y = L.TimeDistributed(L.Dropout(0.3), name="each")(y)
    model = keras.Model(x, L.Flatten()(y))
    read = read_model({"m.h5": keras2_h5(model, quiet=("flip", "both", "each"))})
    layers = {layer.name: layer for layer in read.graph.layers}
    assert layers["flip"].class_name == "Rescaling"
    assert layers["both"].config["layer"]["config"]["dropout"] == 0.0
    assert layers["each"].config["layer"]["config"]["rate"] == 0.0
    check(model, read)


def test_the_layer_scale_of_convnext_is_read() -> None:
    inner = keras.Sequential([keras.Input((4, 4, 3)), L.Conv2D(6, 1), scale_of(6)], name="inner")
    x = keras.Input((4, 4, 3), name="x")
    y = L.DepthwiseConv2D(3, padding="same", name="convolved")(x)
    y = inner(scale_of(3)(L.Add()([x, scale_of(3)(y)])))
    model = keras.Model(x, y)
    for index, layer in enumerate((*model.layers, *inner.layers)):
        if type(layer).__name__ == "LayerScale":
            layer.set_weights([np.linspace(1, 2, layer.projection_dim) * (index + 1)])
    for file, content in (("m.keras", save_zip(model)), ("m.h5", save_h5(model))):
        read = read_model({file: content})
        check(model, read)
        assert sum(w.size for w in read.weights.values()) == model.count_params()


def test_the_scaled_sum_of_inception_resnet_is_read() -> None:
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    model = built(lambda x: CustomScaleLayer(0.17)([x, L.Dense(3)(x)]))
    for file, content in (("m.keras", save_zip(model)), ("m.h5", save_h5(model))):
        check(model, read_model({file: content}))


def scale_of(channels: int) -> Any:
    from keras.src.applications.convnext import LayerScale

    return LayerScale(0.5, channels)


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        *("MobileNetV3Small", "EfficientNetV2B0", "ConvNeXtTiny", "ResNet50V2", "DenseNet121"),
        *("InceptionV3", "NASNetMobile", "Xception", "MobileNetV2", "EfficientNetB0", "VGG16"),
    ],
)
def test_a_head_on_a_network_of_keras_applications_predicts_as_before(name: str) -> None:
    keras.utils.set_random_seed(1)
    side = 75 if name in ("InceptionV3", "Xception") else 32
    network = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(side, side, 3), pooling="avg"
    )
    network.trainable = False
    x = keras.Input((side, side, 3), name="x")
    model = keras.Model(x, L.Dense(3, name="head")(network(x / 127.5 - 1, training=False)))
    read = read_model({"m.keras": save_zip(model)})
    check(model, read)
    assert trainable_weights(read.graph) == {"head/kernel", "head/bias"}
