"""Which layers, with which options, are computed by Keras for the tests of our TF.js layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keras import layers

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One layer with options, on inputs of given shapes (batch first)."""

    name: str
    class_name: str
    config: dict[str, Any]
    make: Callable[[], Any]
    shapes: tuple[Shape, ...]
    masked: tuple[bool, ...] = ()
    training: bool = False
    arguments: bool = False
    spread: float = 1.0
    call: dict[str, Any] = field(default_factory=dict)


CASES: list[Case] = []


def add(
    class_name: str, shape: Shape | tuple[Shape, ...], /, *, about: str = "", **options: Any
) -> None:
    """Add a case: options are Keras's; `ours` are what our config has instead."""
    ours = options.pop("ours", {})
    named = {
        key: options.pop(key)
        for key in ("masked", "training", "arguments", "spread", "call")
        if key in options
    }
    shapes = shape if isinstance(shape[0], tuple) else (shape,)
    keras_class = getattr(layers, class_name)
    config = {**options, **named.get("call", {}), **ours, "name": "layer"}
    label = about or ", ".join(f"{k}={v}" for k, v in {**options, **named}.items())
    trainable = options.get("trainable", True)
    options.pop("trainable", None)

    def make() -> Any:
        layer = keras_class(**options, name="layer")
        layer.trainable = trainable
        return layer

    CASES.append(
        Case(f"{class_name}: {label}", f"Potluck{class_name}", config, make, shapes, **named)
    )  # type: ignore[arg-type]


# Convolutions
for padding in ("valid", "same", "causal"):
    add("Conv1D", (2, 9, 4), filters=6, kernel_size=3, padding=padding, dilation_rate=2)
add("Conv1D", (2, 9, 4), filters=6, kernel_size=3, padding="causal")
add("Conv1D", (2, 9, 4), filters=6, kernel_size=3, padding="causal", strides=2)
add("Conv1D", (2, 9, 4), filters=6, kernel_size=3, strides=2, padding="same", groups=2)
add("Conv1D", (2, 8, 4), filters=4, kernel_size=3, groups=4, use_bias=False, activation="tanh")
for padding in ("valid", "same"):
    add(
        "Conv2D", (2, 7, 6, 3), filters=4, kernel_size=[3, 2], padding=padding, dilation_rate=[2, 1]
    )
    add("Conv2D", (2, 7, 6, 4), filters=6, kernel_size=3, padding=padding, groups=2, strides=2)
    add("Conv3D", (2, 4, 5, 4, 2), filters=3, kernel_size=[2, 3, 2], padding=padding)
    add("Conv3D", (1, 5, 5, 4, 2), filters=3, kernel_size=2, padding=padding, strides=2)
add("Conv3D", (1, 5, 5, 4, 2), filters=4, kernel_size=2, dilation_rate=2, groups=2)
for padding in ("valid", "same"):
    for strides in (1, 2, 3):
        add(
            "Conv1DTranspose", (2, 4, 3), filters=2, kernel_size=3, padding=padding, strides=strides
        )
    add(
        "Conv1DTranspose",
        (2, 4, 3),
        filters=2,
        kernel_size=2,
        padding=padding,
        strides=3,
        output_padding=1,
    )
    add("Conv1DTranspose", (2, 4, 3), filters=2, kernel_size=3, padding=padding, dilation_rate=2)
    add(
        "Conv2DTranspose",
        (2, 3, 4, 3),
        filters=2,
        kernel_size=[3, 2],
        padding=padding,
        strides=2,
        output_padding=[1, 0],
        ours={"output_padding": [1, 0]},
    )
    add("Conv2DTranspose", (1, 3, 4, 2), filters=3, kernel_size=2, padding=padding, dilation_rate=2)
    add(
        "Conv3DTranspose",
        (1, 2, 3, 2, 2),
        filters=3,
        kernel_size=[2, 3, 2],
        padding=padding,
        strides=2,
    )
add(
    "Conv3DTranspose",
    (1, 2, 2, 2, 2),
    filters=2,
    kernel_size=3,
    padding="same",
    strides=2,
    output_padding=1,
)
for padding in ("valid", "same"):
    add("SeparableConv1D", (2, 7, 3), filters=4, kernel_size=3, padding=padding, depth_multiplier=2)
    add("DepthwiseConv1D", (2, 7, 3), kernel_size=3, padding=padding, depth_multiplier=2)
add("SeparableConv1D", (2, 7, 3), filters=4, kernel_size=2, strides=2, activation="relu")
add("SeparableConv2D", (2, 6, 6, 2), filters=3, kernel_size=2, dilation_rate=2, padding="same")
add("DepthwiseConv1D", (2, 8, 3), kernel_size=2, strides=2, use_bias=False)
add("DepthwiseConv2D", (2, 6, 6, 2), kernel_size=2, dilation_rate=[2, 2], depth_multiplier=3)

# Pooling
for rank, shape in ((1, (2, 7, 2)), (2, (2, 5, 7, 2)), (3, (2, 4, 5, 3, 2))):
    for padding in ("valid", "same"):
        add(f"MaxPooling{rank}D", shape, pool_size=2, strides=2, padding=padding)
        add(f"AveragePooling{rank}D", shape, pool_size=3, strides=2, padding=padding)
    for keepdims in (False, True):
        add(f"GlobalAveragePooling{rank}D", shape, keepdims=keepdims)
        add(f"GlobalMaxPooling{rank}D", shape, keepdims=keepdims)
add("GlobalAveragePooling1D", (3, 5, 2), masked=(True,))

# Margins and images
add("ZeroPadding1D", (2, 4, 3), padding=[1, 2])
add("ZeroPadding3D", (1, 2, 3, 2, 2), padding=[[1, 0], [0, 2], [1, 1]])
add("Cropping1D", (2, 6, 3), cropping=[1, 2])
add("Cropping3D", (1, 4, 5, 4, 2), cropping=[[1, 0], [0, 2], [1, 1]])
add("UpSampling1D", (2, 4, 3), size=3)
add("UpSampling3D", (2, 2, 3, 2, 2), size=[2, 1, 3])
for way in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
    add("UpSampling2D", (2, 3, 4, 2), size=[2, 3], interpolation=way)
    add("Resizing", (2, 7, 6, 2), height=4, width=5, interpolation=way)
add("Resizing", (2, 8, 6, 2), height=3, width=4, antialias=True)
add("Resizing", (1, 7, 9, 2), height=4, width=3, crop_to_aspect_ratio=True)
add("Resizing", (1, 4, 9, 2), height=4, width=4, pad_to_aspect_ratio=True, fill_value=0.5)
add("Resizing", (1, 9, 4, 2), height=4, width=4, pad_to_aspect_ratio=True)
add("CenterCrop", (2, 7, 6, 2), height=4, width=3)
add("CenterCrop", (2, 4, 6, 2), height=5, width=4)
add("Rescaling", (2, 3, 3), scale=[0.5, 2.0, 1.5], offset=[0.1, 0.2, 0.3])
add("Rescaling", (2, 3), scale=0.5, offset=-1.0)

# Normalization
for training in (False, True):
    add("BatchNormalization", (4, 3, 5), axis=1, training=training)
    add("BatchNormalization", (4, 3, 2, 2), axis=-1, scale=False, training=training)
    add("BatchNormalization", (2, 2, 3, 2, 2), training=training)
    add("BatchNormalization", (6, 3), center=False, momentum=0.8, training=training)
    add("BatchNormalization", (3, 5, 2), masked=(True,), training=training)
add("BatchNormalization", (6, 3), trainable=False, training=True)
add("LayerNormalization", (2, 3, 4), axis=[1, 2], epsilon=1e-3)
add("LayerNormalization", (2, 3, 4), axis=1, ours={"axis": [1]}, scale=False)
add("LayerNormalization", (2, 5), center=False)
add("LayerNormalization", (1, 2, 2, 3, 4), scale=False)
add("GroupNormalization", (1, 2, 2, 3, 4), groups=2)
add("RMSNormalization", (2, 3, 4), axis=-1, epsilon=1e-6)
add("RMSNormalization", (2, 3, 4), axis=[1, 2], epsilon=1e-3)
add("GroupNormalization", (2, 3, 2, 6), groups=3)
add("GroupNormalization", (2, 4, 5), groups=2, axis=1, scale=False)
add("GroupNormalization", (2, 6), groups=-1, center=False)
add("UnitNormalization", (2, 3, 4), axis=-1)
add("UnitNormalization", (2, 3, 4), axis=[1, 2])
add("Normalization", (3, 4), axis=-1, mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 0.5, 0.1])
add("Normalization", (3, 4), axis=None, mean=0.3, variance=2.0, invert=True)
add("Normalization", (2, 3, 4), axis=[1, 2], mean=[[0.1] * 4] * 3, variance=[[0.5] * 4] * 3)

# Recurrent
for name in ("SimpleRNN", "LSTM", "GRU"):
    for options in (
        {},
        {"return_sequences": True},
        {"go_backwards": True, "return_sequences": True},
    ):
        add(name, (2, 4, 3), units=2, **options)
        add(name, (3, 5, 3), units=2, masked=(True,), **options)
    add(name, (3, 5, 3), units=2, masked=(True,), zero_output_for_mask=True, return_sequences=True)
    add(name, (2, 3, 2), units=3, use_bias=False, activation="relu")
for reset_after in (False, True):
    add(
        "GRU",
        (2, 4, 3),
        units=3,
        reset_after=reset_after,
        recurrent_activation="hard_sigmoid",
        ours={"recurrent_activation": "potluck_hard_sigmoid"},
    )
add(
    "ConvLSTM2D",
    (2, 3, 5, 4, 2),
    filters=2,
    kernel_size=[2, 3],
    padding="same",
    return_sequences=True,
)
add("ConvLSTM2D", (2, 3, 5, 5, 2), filters=2, kernel_size=2, dilation_rate=2)
add("ConvLSTM2D", (3, 4, 4, 4, 1), filters=2, kernel_size=2, strides=2, masked=(False,))

# Merging
add("Subtract", ((2, 3, 4), (2, 3, 4)))
add("Subtract", ((2, 3, 4), (2, 4)))
add("Dot", ((2, 3), (2, 3)), axes=1)
add("Dot", ((2, 3, 4), (2, 5, 4)), axes=[2, 2])
add("Dot", ((2, 3, 4), (2, 3)), axes=1, normalize=True)
add("Dot", ((2, 3, 4), (2, 4, 5)), axes=[-1, 1])

# Attention
QVK = ((2, 3, 4), (2, 5, 4), (2, 5, 4))
for options in (
    {},
    {"use_scale": True},
    {"score_mode": "concat"},
    {"score_mode": "concat", "use_scale": True},
):
    add("Attention", QVK[:2], **options)
add("Attention", QVK, use_scale=True, call={"use_causal_mask": True})
add("Attention", QVK[:2], masked=(True, True))
add("Attention", QVK[:2], masked=(False, True), call={"use_causal_mask": True})
add("AdditiveAttention", QVK[:2])
add("AdditiveAttention", QVK, use_scale=False)
add("AdditiveAttention", QVK[:2], masked=(True, True))
add("MultiHeadAttention", QVK[:2], num_heads=2, key_dim=3, arguments=True)
add("MultiHeadAttention", QVK, num_heads=2, key_dim=3, use_bias=False, arguments=True)
add(
    "MultiHeadAttention",
    QVK[:2],
    num_heads=2,
    key_dim=3,
    output_shape=5,
    ours={"output_shape": [5]},
    arguments=True,
    call={"use_causal_mask": True},
)
add("MultiHeadAttention", QVK[:2], num_heads=1, key_dim=2, masked=(True, True), arguments=True)
add("MultiHeadAttention", QVK[:2], num_heads=1, key_dim=2, masked=(False, True), arguments=True)
add(
    "MultiHeadAttention",
    ((2, 2, 3, 4), (2, 2, 3, 4)),
    num_heads=2,
    key_dim=2,
    attention_axes=[1],
    arguments=True,
)
add(
    "MultiHeadAttention",
    ((2, 2, 3, 4), (2, 2, 3, 4)),
    num_heads=2,
    key_dim=2,
    attention_axes=[1, 2],
    arguments=True,
)
for equation, shape, output, bias in (
    ("ab,bc->ac", (3, 4), 5, "c"),
    ("abc,cd->abd", (2, 3, 4), [None, 5], "d"),
    ("abc,cde->abde", (2, 3, 4), [3, 2, 5], "de"),
    ("...x,xy->...y", (2, 3, 4), 5, "y"),
    ("abc,cb->ac", (2, 3, 4), 4, None),
    ("ab...,bc->ac...", (2, 3, 4), 5, "c"),
):
    add("EinsumDense", shape, equation=equation, output_shape=output, bias_axes=bias)

# Activations as layers
for options in (
    {"negative_slope": 0.2},
    {"threshold": 0.3, "max_value": 0.8},
    {"negative_slope": 0.1, "threshold": 0.2, "max_value": 0.5},
):
    add("ReLU", (3, 7), **options)
add("ELU", (3, 7), alpha=0.5)
add("Softmax", (2, 3, 4), axis=1)
add("Softmax", (2, 3, 4), axis=[1, 2])
add("Identity", (2, 3))
for name in (
    "hard_sigmoid",
    "leaky_relu",
    "exponential",
    "celu",
    "glu",
    "hard_silu",
    "hard_tanh",
    "hard_shrink",
    "soft_shrink",
    "squareplus",
    "sparse_plus",
    "sparsemax",
    "tanh_shrink",
    "log_sigmoid",
    "sparse_sigmoid",
    "gelu",
):
    CASES.append(
        Case(
            f"Activation: {name}",
            "Activation",
            {"activation": f"potluck_{name}", "name": "layer"},
            lambda name=name: layers.Activation(name, name="layer"),
            ((4, 8),),
            spread=4.0,
        )
    )
for mode in ("concat", "sum", "mul", "ave"):
    CASES.append(
        Case(
            f"Bidirectional: {mode}, a backward layer of its own",
            "PotluckBidirectional",
            {
                "name": "layer",
                "merge_mode": mode,
                "layer": {
                    "class_name": "PotluckGRU",
                    "config": {
                        "name": "g",
                        "units": 2,
                        "return_sequences": True,
                        "reset_after": True,
                    },
                },
                "backward_layer": {
                    "class_name": "LSTM",
                    "config": {
                        "name": "g",
                        "units": 2,
                        "return_sequences": True,
                        "go_backwards": True,
                        "recurrent_activation": "sigmoid",
                    },
                },
            },
            lambda mode=mode: layers.Bidirectional(
                layers.GRU(2, return_sequences=True, name="g"),
                merge_mode=mode,
                backward_layer=layers.LSTM(2, return_sequences=True, go_backwards=True, name="g"),
                name="layer",
            ),
            ((3, 5, 3),),
            masked=(True,),
        )
    )
CASES.append(
    Case(
        "Bidirectional: GRU",
        "Bidirectional",
        {
            "name": "layer",
            "merge_mode": "concat",
            "layer": {
                "class_name": "PotluckGRU",
                "config": {"name": "g", "units": 2, "reset_after": True},
            },
        },
        lambda: layers.Bidirectional(layers.GRU(2, name="g"), name="layer"),
        ((2, 4, 3),),
    )
)
CASES.append(
    Case(
        "RNN: stacked cells",
        "PotluckRNN",
        {
            "name": "layer",
            "return_sequences": True,
            "zero_output_for_mask": True,
            "cell": {
                "class_name": "StackedRNNCells",
                "config": {
                    "cells": [
                        {
                            "class_name": "PotluckGRUCell",
                            "config": {"units": 3, "reset_after": True},
                        },
                        {
                            "class_name": "LSTMCell",
                            "config": {"units": 2, "recurrent_activation": "sigmoid"},
                        },
                    ]
                },
            },
        },
        lambda: layers.RNN(
            [layers.GRUCell(3), layers.LSTMCell(2)],
            return_sequences=True,
            zero_output_for_mask=True,
            name="layer",
        ),
        ((3, 4, 2),),
        masked=(True,),
    )
)
CASES.append(
    Case(
        "TimeDistributed: Dense",
        "PotluckTimeDistributed",
        {"name": "layer", "layer": {"class_name": "Dense", "config": {"name": "d", "units": 2}}},
        lambda: layers.TimeDistributed(layers.Dense(2, name="d"), name="layer"),
        ((2, 3, 4),),
    )
)
