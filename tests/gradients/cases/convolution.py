"""Convolutions: padding, strides, dilation, sizes odd and even, transposed, depthwise, stacked."""

from __future__ import annotations

from typing import Any

from tests.gradients.case import Case, case

CASES: list[Case] = []
PADDINGS = ("valid", "same")
# Kernel sizes with strides, or rates of dilation; with strides and multipliers of depth.
STRIDED: Any = (([3, 3], [1, 1]), ([2, 3], [1, 1]), ([3, 2], [2, 2]), ([2, 2], [3, 1]))
DILATED: Any = (([3, 3], [2, 2]), ([2, 3], [1, 2]), ([2, 2], [3, 3]))
VOLUMES: Any = (([2, 3, 2], 1), ([2, 2, 2], 2), ([3, 3, 3], 2), ([1, 1, 1], 2))
TURNED: Any = ((3, 1), (3, 2), (2, 2), (2, 3), (4, 2))
TURNED_VOLUMES: Any = ((2, 1), (3, 2), (2, 2))
DEPTHWISE: Any = ((3, 1, 1), (2, 1, 2), (3, 2, 2), (2, 2, 1), (2, 3, 1))


def _add(class_name: str, shape: Any, **options: Any) -> None:
    family = class_name.replace("Depthwise", "").replace("Separable", "")
    CASES.append(case(family, class_name, shape, **options))


for padding in PADDINGS:
    for kernel_size, strides in ((3, 1), (2, 1), (3, 2), (2, 3), (1, 2)):
        _add(
            "Conv1D",
            (2, 8, 3),
            filters=2,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
        )
    _add("Conv1D", (2, 9, 2), filters=3, kernel_size=3, padding=padding, dilation_rate=2)
    for size, strides in STRIDED:
        _add(
            "Conv2D",
            (2, 6, 5, 2),
            filters=3,
            kernel_size=size,
            strides=strides,
            padding=padding,
        )
    for size, dilation in DILATED:
        _add(
            "Conv2D",
            (2, 7, 6, 2),
            filters=3,
            kernel_size=size,
            padding=padding,
            dilation_rate=dilation,
        )
    for size, strides in VOLUMES:
        _add(
            "Conv3D",
            (2, 4, 5, 4, 2),
            filters=2,
            kernel_size=size,
            strides=strides,
            padding=padding,
        )
    _add("Conv3D", (1, 5, 4, 5, 2), filters=2, kernel_size=2, padding=padding, dilation_rate=2)
    for size, strides in TURNED:
        _add(
            "Conv2DTranspose",
            (2, 3, 4, 2),
            filters=3,
            kernel_size=size,
            strides=strides,
            padding=padding,
        )
    for size, strides in TURNED_VOLUMES:
        _add(
            "Conv3DTranspose",
            (2, 2, 3, 2, 2),
            filters=3,
            kernel_size=size,
            strides=strides,
            padding=padding,
        )
    for size, strides, multiplier in DEPTHWISE:
        _add(
            "DepthwiseConv2D",
            (2, 6, 5, 3),
            kernel_size=size,
            strides=strides,
            padding=padding,
            depth_multiplier=multiplier,
        )
    _add(
        "DepthwiseConv2D",
        (2, 7, 6, 2),
        kernel_size=2,
        padding=padding,
        dilation_rate=[2, 2],
        depth_multiplier=2,
        case_options={"written": True},
    )
    for size, strides, multiplier in ((3, 1, 1), (2, 2, 2)):
        _add(
            "SeparableConv2D",
            (2, 6, 5, 2),
            filters=3,
            kernel_size=size,
            strides=strides,
            padding=padding,
            depth_multiplier=multiplier,
        )
    _add(
        "SeparableConv2D",
        (2, 7, 6, 2),
        filters=3,
        kernel_size=2,
        padding=padding,
        dilation_rate=[2, 2],
    )
_add("Conv2D", (2, 5, 5, 2), filters=3, kernel_size=3, activation="relu")
_add("Conv2D", (2, 5, 5, 2), filters=3, kernel_size=3, use_bias=False, activation="tanh")
_add("Conv2D", (1, 5, 5, 1), filters=1, kernel_size=5)
_add("Conv2D", (2, 2, 5, 4), filters=3, kernel_size=2, data_format="channelsFirst")
_add("Conv2DTranspose", (2, 3, 3, 2), filters=2, kernel_size=3, activation="tanh", strides=2)
for rank, shape in ((1, (2, 8, 2)), (2, (2, 6, 6, 2)), (3, (2, 5, 5, 5, 2))):
    second = (f"Conv{rank}D", {"filters": 2, "kernel_size": 2, "padding": "same"})
    _add(
        f"Conv{rank}D",
        shape,
        about="two, one behind the other",
        filters=3,
        kernel_size=3,
        activation="tanh",
        after=[second],
    )
