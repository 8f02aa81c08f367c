"""Max and average pooling over one or two axes, windowed and global."""

# ruff: noqa: ARG002 - every entry answers the same questions, whether or not it needs all of them

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, need_rank, show, size
from potluck_converter.layers.checks import (
    channels_last,
    choice,
    no_activity_regularizer,
    only,
    sizes,
)
from potluck_converter.layers.convolution import window


def _overhangs(length: int | None, kernel: int, stride: int) -> bool:
    """Tell whether "same" windows reach beyond the input.

    There TF.js divides the gradient by the whole window, but the value by the part inside.
    """
    return length is None or (-(-length // stride) - 1) * stride + kernel > length


class _Pooling(LayerKind):
    rank: int
    average: bool

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if raw.get("strides") is None:
            raw["strides"] = raw.get("pool_size")
        return raw

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        *space, channels = need_rank(inputs, self.rank + 1)
        pad = config["padding"]
        sides = []
        for n, k, s in zip(space, config["pool_size"], config["strides"], strict=True):
            try:
                out = window(n, k, s, pad, "window")
            except Unfit as error:
                error.got = show(inputs[0])
                raise
            if self.average and pad == "same" and k > 1 and _overhangs(n, k, s):
                raise Unfit(
                    "windows that all lie inside the input",
                    got=f"padding='same' on {show(inputs[0])}",
                    field="padding",
                    reason="TF.js computes a wrong gradient at padded borders",
                    hint="Use padding='valid', or a size that divides the input.",
                )
            sides.append(out)
        return (*sides, channels)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return int(prod(config["pool_size"])) * size(output)


def _fields(rank: int) -> tuple[Field, ...]:
    return (
        Field("pool_size", [2] * rank, sizes(rank), searchable=True),
        Field("strides", None, sizes(rank), searchable=True),
        Field("padding", "valid", choice("valid", "same"), searchable=True),
        channels_last(),
        no_activity_regularizer(),
    )


class MaxPooling1D(_Pooling):
    """The largest in each window."""

    class_name = "MaxPooling1D"
    rank, average, fields = 1, False, _fields(1)


class MaxPooling2D(_Pooling):
    """The largest in each window."""

    class_name = "MaxPooling2D"
    rank, average, fields = 2, False, _fields(2)


class AveragePooling1D(_Pooling):
    """The mean of each window."""

    class_name = "AveragePooling1D"
    rank, average, fields = 1, True, _fields(1)


class AveragePooling2D(_Pooling):
    """The mean of each window."""

    class_name = "AveragePooling2D"
    rank, average, fields = 2, True, _fields(2)


class _Global(LayerKind):
    rank: int
    fields = (
        channels_last(),
        only(
            "keepdims",
            False,
            "TF.js ignores it",
            "Use keepdims=False and a Reshape after it.",
            also=(None,),
        ),
        no_activity_regularizer(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return (need_rank(inputs, self.rank + 1)[-1],)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return size(inputs[0])


class GlobalMaxPooling1D(_Global):
    """The largest over one axis."""

    class_name, rank = "GlobalMaxPooling1D", 1


class GlobalMaxPooling2D(_Global):
    """The largest over two axes."""

    class_name, rank = "GlobalMaxPooling2D", 2


class GlobalAveragePooling1D(_Global):
    """The mean over one axis."""

    class_name, rank = "GlobalAveragePooling1D", 1


class GlobalAveragePooling2D(_Global):
    """The mean over two axes."""

    class_name, rank = "GlobalAveragePooling2D", 2


KINDS: tuple[LayerKind, ...] = (
    MaxPooling1D(),
    MaxPooling2D(),
    AveragePooling1D(),
    AveragePooling2D(),
    GlobalMaxPooling1D(),
    GlobalMaxPooling2D(),
    GlobalAveragePooling1D(),
    GlobalAveragePooling2D(),
)
