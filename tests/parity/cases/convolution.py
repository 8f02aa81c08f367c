"""Every convolution, with its options one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.parity.case import Case, chain, layer

SERIES, IMAGE, VOLUME = (9, 4), (7, 6, 4), (5, 5, 4, 2)
SHAPES = {1: SERIES, 2: IMAGE, 3: VOLUME}


def _one(name: str, rank: int, cls: str, *args: Any, **options: Any) -> Case:
    build = chain(SHAPES[rank], layer(cls, *args, **options))
    return Case(name, build)


def _by_channel(name: str, rank: int, *args: Any, **options: Any) -> Case:
    return replace(_one(name, rank, f"Conv{rank}D", *args, groups=4, **options), keras2=False)


def _plain() -> list[Case]:
    found = []
    for rank in (1, 2, 3):
        cls, name = f"Conv{rank}D", f"conv{rank}d"
        found += [
            _one(f"{name}_valid", rank, cls, 3, 2, activation="relu"),
            _one(f"{name}_same", rank, cls, 3, 3, padding="same", use_bias=False),
            _one(f"{name}_strides", rank, cls, 3, 3, strides=2, padding="same"),
            _one(f"{name}_even_same", rank, cls, 2, 2, strides=2, padding="same"),
            _one(f"{name}_dilated", rank, cls, 2, 2, dilation_rate=2),
            _one(f"{name}_dilated_same", rank, cls, 2, 3, dilation_rate=2, padding="same"),
            _one(f"{name}_groups", rank, cls, 4, 2, groups=2),
            _one(f"{name}_groups_same", rank, cls, 6, 3, groups=2, strides=2, padding="same"),
        ]
    return found


def _transposed() -> list[Case]:
    found = []
    for rank in (1, 2, 3):
        cls, name = f"Conv{rank}DTranspose", f"conv{rank}d_transpose"
        found += [
            _one(f"{name}_valid", rank, cls, 3, 3),
            _one(f"{name}_same", rank, cls, 3, 3, strides=2, padding="same", activation="tanh"),
            _one(f"{name}_valid_strides", rank, cls, 2, 2, strides=2, use_bias=False),
            _one(f"{name}_wide_strides", rank, cls, 2, 2, strides=3),
            _one(
                f"{name}_output_padding",
                rank,
                cls,
                *(2, 3),
                strides=2,
                padding="same",
                output_padding=1,
            ),
        ]
    found += [
        Case(
            f"conv{rank}d_transpose_dilated",
            chain(
                SHAPES[rank],
                layer(f"Conv{rank}DTranspose", 2, 2, dilation_rate=2, padding="valid"),
            ),
        )
        for rank in (1, 2, 3)
    ]
    return found


def _depthwise() -> list[Case]:
    found = []
    for rank in (1, 2):
        depthwise, separable = f"DepthwiseConv{rank}D", f"SeparableConv{rank}D"
        for cls, name, args in (
            (depthwise, f"depthwise_conv{rank}d", (3,)),
            (separable, f"separable_conv{rank}d", (5, 3)),
        ):
            found += [
                _one(f"{name}_valid", rank, cls, *args),
                _one(f"{name}_same", rank, cls, *args, padding="same", activation="relu"),
                _one(f"{name}_strides", rank, cls, *args, strides=2, padding="same"),
                _one(f"{name}_multiplier", rank, cls, *args, depth_multiplier=2, use_bias=False),
                _one(f"{name}_dilated", rank, cls, *args, dilation_rate=2, padding="same"),
            ]
    return found


CASES = (
    *_plain(),
    _one("conv1d_causal", 1, "Conv1D", 3, 3, padding="causal"),
    _one("conv1d_causal_dilated", 1, "Conv1D", 3, 2, padding="causal", dilation_rate=3),
    _one("conv1d_causal_strides", 1, "Conv1D", 3, 3, padding="causal", strides=2),
    _one("conv1d_causal_groups", 1, "Conv1D", 4, 2, padding="causal", groups=2),
    # A group for each channel: computed as a depthwise convolution, where its strides are even.
    _by_channel("conv1d_channels", 1, 8, 3, strides=2, padding="causal"),
    _by_channel("conv2d_channels", 2, 8, 3, padding="same", activation="relu"),
    _by_channel("conv2d_channels_narrow", 2, 4, (1, 2), strides=3, padding="same"),
    _by_channel("conv2d_channels_oblong", 2, 4, (3, 2), strides=(2, 1)),
    _by_channel("conv2d_channels_dilated", 2, 4, 2, dilation_rate=2),
    _one("conv2d_oblong", 2, "Conv2D", 3, (3, 2), strides=(2, 1), padding="same"),
    _one("conv2d_oblong_dilated", 2, "Conv2D", 3, (2, 3), dilation_rate=(3, 1)),
    # Kernels narrower than the strides, with padding: WASM's own kernels give up without a word.
    _one("conv2d_narrow", 2, "Conv2D", 3, (1, 2), strides=(1, 3), padding="same"),
    _one(
        "conv2d_transpose_narrow", 2, "Conv2DTranspose", 2, (1, 2), strides=(1, 3), padding="same"
    ),
    _one("depthwise_conv2d_narrow", 2, "DepthwiseConv2D", (2, 1), strides=2, padding="same"),
    _one("separable_conv2d_narrow", 2, "SeparableConv2D", 3, (2, 1), strides=2, padding="same"),
    *_transposed(),
    *_depthwise(),
)
