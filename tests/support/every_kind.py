"""Networks that hold every kind of layer which trains alike in Keras: small, with three classes.

Left out are layers that draw random numbers while training: Keras draws others. Those are held to
the Python donor, which draws a unit's own (`small_units`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from tests.support.small_units import stacked

k = keras.layers


def _headed(inputs: Any, features: Any) -> Any:
    return keras.Model(inputs, k.Dense(3, activation="softmax")(features))


def dense() -> Any:
    """Make what loops over one memory train, without an image."""
    return stacked((6,), k.Dense(10, activation="tanh"), k.Dense(8, activation="sigmoid"))


def bounded() -> Any:
    """Make a network with penalties and with weights that stay."""
    return stacked(
        (6,),
        k.Dense(7, activation="tanh", trainable=False),
        k.Dense(9, activation="tanh", kernel_regularizer="l2"),
        k.ActivityRegularization(l1=0.01, l2=0.01),
        k.BatchNormalization(trainable=False),
    )


def activations() -> Any:
    """Make every layer that is an activation."""
    return stacked(
        (6,),
        k.Dense(8),
        k.LeakyReLU(0.2),
        k.Dense(8, use_bias=False),
        k.PReLU(alpha_initializer=keras.initializers.Constant(0.3)),
        k.Dense(8),
        k.ELU(0.7),
        k.Activation("gelu"),
        k.Dense(8),
        k.ReLU(max_value=2.0, negative_slope=0.1),
        k.Softmax(),
    )


def shapes() -> Any:
    """Make every layer that moves values about."""
    return stacked(
        (6,),
        k.Dense(6, activation="tanh"),
        k.RepeatVector(3),
        k.EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d"),
        k.Permute((2, 1)),
        k.Reshape((2, 6)),
        k.Identity(),
        k.Flatten(),
    )


def normalizations() -> Any:
    """Make every layer that normalizes."""
    return stacked(
        (6, 4),
        k.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 0.5, 1.5]),
        k.Rescaling(0.5, offset=0.1),
        k.Dense(6, use_bias=False),
        k.BatchNormalization(momentum=0.8),
        k.Dense(6, activation="tanh"),
        k.LayerNormalization(),
        k.Dense(6, activation="tanh"),
        k.RMSNormalization(),
        k.Dense(6, activation="tanh"),
        k.GroupNormalization(groups=2),
        k.UnitNormalization(),
    )


def series() -> Any:
    """Make every convolution, pooling and margin of series."""
    return stacked(
        (8, 3),
        k.Conv1D(4, 3, padding="causal", activation="tanh"),
        k.Conv1D(4, 3, padding="same", groups=2, dilation_rate=2),
        k.DepthwiseConv1D(3, padding="same", depth_multiplier=2, activation="tanh"),
        k.SeparableConv1D(4, 3, padding="same"),
        k.MaxPooling1D(2),
        k.Conv1DTranspose(4, 3, strides=2, padding="same", activation="tanh"),
        k.AveragePooling1D(2),
        k.UpSampling1D(2),
        k.ZeroPadding1D((1, 2)),
        k.Cropping1D((2, 1)),
    )


def images() -> Any:
    """Make what loops over one memory train, with images."""
    return stacked(
        (7, 7, 2),
        k.Conv2D(4, 3, padding="same", use_bias=False),
        k.BatchNormalization(momentum=0.8),
        k.Activation("relu"),
        k.MaxPooling2D(2, strides=1),
        k.Conv2D(3, 3, strides=2, activation="tanh"),
        k.AveragePooling2D(2, strides=1, padding="same"),
    )


def other_images() -> Any:
    """Make the other convolutions, poolings and margins of images."""
    return stacked(
        (6, 6, 2),
        k.Conv2D(4, 3, padding="same", dilation_rate=2, activation="tanh"),
        k.DepthwiseConv2D(3, padding="same", activation="tanh"),
        k.SeparableConv2D(4, 3, padding="same"),
        k.Conv2DTranspose(3, 3, strides=2, padding="same", activation="tanh"),
        k.Resizing(8, 8),
        k.CenterCrop(6, 6),
        k.MaxPooling2D(2),
        k.UpSampling2D(2, interpolation="bilinear"),
        k.ZeroPadding2D(1),
        k.Cropping2D(2),
    )


def volumes() -> Any:
    """Make every convolution, pooling and margin of volumes."""
    return stacked(
        (4, 4, 4, 2),
        k.Conv3D(3, 2, padding="same", activation="tanh"),
        k.MaxPooling3D(2),
        k.Conv3DTranspose(3, 2, strides=2, padding="same", activation="tanh"),
        k.AveragePooling3D(2),
        k.UpSampling3D(2),
        k.ZeroPadding3D(1),
        k.Cropping3D(2),
    )


def whole_poolings() -> Any:
    """Make every pooling over all places."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((2, 2, 3, 2))
    volume = k.Dense(4, activation="tanh")(inputs)
    image, line = k.Reshape((4, 3, 4))(volume), k.Reshape((12, 4))(volume)
    pooled = [
        k.GlobalAveragePooling3D()(volume),
        k.GlobalMaxPooling3D()(volume),
        k.GlobalAveragePooling2D()(image),
        k.GlobalMaxPooling2D()(image),
        k.GlobalAveragePooling1D()(line),
        k.GlobalMaxPooling1D()(line),
    ]
    return _headed(inputs, k.Concatenate()(pooled))


def merges() -> Any:
    """Make every layer that joins."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((6,))
    one, two, three = (k.Dense(5, activation="tanh")(inputs) for _ in range(3))
    joined = [
        k.Add()([one, two, three]),
        k.Subtract()([one, two]),
        k.Multiply()([two, three]),
        k.Average()([one, three]),
        k.Maximum()([one, two]),
        k.Minimum()([two, three]),
        k.Dot(axes=1)([one, three]),
    ]
    return _headed(inputs, k.Concatenate()(joined))


def attention() -> Any:
    """Make every layer that attends."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((5, 4))
    heads = k.MultiHeadAttention(2, 3, use_bias=False)(inputs, inputs)
    values = k.Dense(4, activation="tanh")(inputs)
    seen = k.Attention(use_scale=True)([heads, values])
    added = k.AdditiveAttention()([values, seen])
    return _headed(inputs, k.Flatten()(k.Add()([seen, added])))


def recurrent() -> Any:
    """Make every recurrent layer."""
    return stacked(
        (5, 3),
        k.SimpleRNN(4, return_sequences=True),
        k.LSTM(4, return_sequences=True),
        k.GRU(4, return_sequences=True, go_backwards=True),
        k.GRU(3, reset_after=False),
    )


def cells() -> Any:
    """Make every cell."""
    return stacked(
        (5, 3),
        k.RNN(k.SimpleRNNCell(4), return_sequences=True),
        k.RNN([k.LSTMCell(4), k.GRUCell(3)]),
    )


def wrapped() -> Any:
    """Make layers inside others."""
    return stacked(
        (5, 3),
        k.TimeDistributed(k.Dense(4, activation="tanh")),
        k.Bidirectional(k.LSTM(3, return_sequences=True)),
        k.Bidirectional(k.GRU(3), merge_mode="sum"),
    )


def masked() -> Any:
    """Make what hides steps, and a layer that heeds it."""
    return stacked((6,), k.Embedding(12, 4, mask_zero=True), k.LSTM(4), dtype="int32")


def masking() -> Any:
    """Make the other layer that hides steps."""
    return stacked((6, 3), k.Masking(0.0), k.SimpleRNN(4))


def films() -> Any:
    """Make a recurrent convolution."""
    return stacked((3, 4, 4, 2), k.ConvLSTM2D(3, 2, padding="same"))


NETWORKS: dict[str, Callable[[], Any]] = {
    make.__name__: make
    for make in (
        dense,
        bounded,
        activations,
        shapes,
        normalizations,
        series,
        images,
        other_images,
        volumes,
        whole_poolings,
        merges,
        attention,
        recurrent,
        cells,
        wrapped,
        masked,
        masking,
        films,
    )
}
