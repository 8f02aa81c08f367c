"""Max and average pooling over one, two or three axes, windowed and global."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, Mask, need_rank, show, size
from potluck_converter.layers.checks import boolean, channels_last, choice, defaulted, sizes
from potluck_converter.layers.convolution import window
from potluck_converter.layers.penalties import activity


def _overhangs(length: int | None, kernel: int, stride: int) -> bool:
    """Tell whether "same" windows reach beyond the input.

    There TF.js divides the gradient by the whole window, but the value by the part inside.
    """
    return length is None or (-(-length // stride) - 1) * stride + kernel > length


class _Pooling(LayerKind):
    rank: int
    average: bool
    mask = "ends"

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
            sides.append(out)
        return (*sides, channels)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        walk = zip(inputs[0][:-1], config["pool_size"], config["strides"], strict=True)
        beyond = any(k > 1 and _overhangs(n, k, s) for n, k, s in walk)
        if self.average and config["padding"] == "same" and beyond:
            return "TF.js's gradient of averages is wrong at padded borders"
        if self.rank == 3 and not self.average:
            return "TF.js's MaxPooling3D is wrong on WASM"
        return ""

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return int(prod(config["pool_size"])) * size(output)


def _fields(rank: int) -> tuple[Field, ...]:
    return (
        Field("pool_size", [2] * rank, sizes(rank), searchable=True),
        Field("strides", None, sizes(rank), searchable=True),
        Field("padding", "valid", choice("valid", "same"), searchable=True),
        channels_last(),
        activity(),
    )


class MaxPooling1D(_Pooling):
    """The largest in each window."""

    class_name = "MaxPooling1D"
    rank, average, fields = 1, False, _fields(1)


class MaxPooling2D(_Pooling):
    """The largest in each window."""

    class_name = "MaxPooling2D"
    rank, average, fields = 2, False, _fields(2)


class MaxPooling3D(_Pooling):
    """The largest in each window."""

    class_name = "MaxPooling3D"
    rank, average, fields = 3, False, _fields(3)


class AveragePooling1D(_Pooling):
    """The mean of each window."""

    class_name = "AveragePooling1D"
    rank, average, fields = 1, True, _fields(1)


class AveragePooling2D(_Pooling):
    """The mean of each window."""

    class_name = "AveragePooling2D"
    rank, average, fields = 2, True, _fields(2)


class AveragePooling3D(_Pooling):
    """The mean of each window."""

    class_name = "AveragePooling3D"
    rank, average, fields = 3, True, _fields(3)


class _Global(LayerKind):
    rank: int
    mask: ClassVar[Mask] = "ends"
    fields = (channels_last(), Field("keepdims", False, defaulted(boolean, False)), activity())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        channels = need_rank(inputs, self.rank + 1)[-1]
        return (*[1] * self.rank, channels) if config["keepdims"] else (channels,)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        return "TF.js ignores keepdims" if config["keepdims"] else ""

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        return {}

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return size(inputs[0])


class GlobalMaxPooling1D(_Global):
    """The largest over one axis."""

    class_name, rank = "GlobalMaxPooling1D", 1


class GlobalMaxPooling2D(_Global):
    """The largest over two axes."""

    class_name, rank = "GlobalMaxPooling2D", 2


class GlobalMaxPooling3D(_Global):
    """The largest over three axes."""

    class_name, rank, stock = "GlobalMaxPooling3D", 3, False


class GlobalAveragePooling1D(_Global):
    """The mean over one axis."""

    class_name, rank = "GlobalAveragePooling1D", 1
    mask = "matters"

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        return False


class GlobalAveragePooling2D(_Global):
    """The mean over two axes."""

    class_name, rank = "GlobalAveragePooling2D", 2


class GlobalAveragePooling3D(_Global):
    """The mean over three axes."""

    class_name, rank, stock = "GlobalAveragePooling3D", 3, False


KINDS: tuple[LayerKind, ...] = (
    MaxPooling1D(),
    MaxPooling2D(),
    MaxPooling3D(),
    AveragePooling1D(),
    AveragePooling2D(),
    AveragePooling3D(),
    GlobalMaxPooling1D(),
    GlobalMaxPooling2D(),
    GlobalMaxPooling3D(),
    GlobalAveragePooling1D(),
    GlobalAveragePooling2D(),
    GlobalAveragePooling3D(),
)
