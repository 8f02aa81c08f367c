"""Conv1DTranspose, Conv2DTranspose and Conv3DTranspose."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import (
    Config,
    Field,
    LayerKind,
    WeightSpec,
    known,
    need_rank,
    size,
)
from potluck_converter.layers.checks import integer, no_lora, only, sizes_or_none
from potluck_converter.layers.convolution import one_of_two, sliding
from potluck_converter.layers.core import activated, after, bias_of, trained
from potluck_converter.layers.penalties import activity


def _grown(
    length: int | None, kernel: int, stride: int, pad: str, extra: int | None, dilation: int
) -> int | None:
    if length is None:
        return None
    reach = (kernel - 1) * dilation + 1
    if extra is not None:
        if extra >= stride:
            raise Unfit("less padding of the output than stride", field="output_padding")
        around = reach // 2 if pad == "same" else 0
        return (length - 1) * stride + reach - 2 * around + extra
    return length * stride if pad == "same" else length * stride + max(reach - stride, 0)


class _Transpose(LayerKind):
    rank: int
    mask = "ends"
    ignored = frozenset({"rank", "groups"})

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        *space, channels = need_rank(inputs, self.rank + 1)
        known(channels, "channels")
        one_of_two(config)
        extras = config["output_padding"] or [None] * self.rank
        pad = config["padding"]
        walk = zip(
            space,
            config["kernel_size"],
            config["strides"],
            extras,
            config["dilation_rate"],
            strict=True,
        )
        sides = [_grown(n, k, s, pad, e, d) for n, k, s, e, d in walk]
        if any(n is not None and n < 1 for n in sides):
            raise Unfit("an output of at least one element", got=str(sides))
        return (*sides, activated(config, config["filters"]))

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        channels, filters = known(inputs[0][-1], "channels"), config["filters"]
        shape = (*config["kernel_size"], filters, channels)
        kernel = WeightSpec("kernel", shape, config["kernel_initializer"])
        return (kernel, *bias_of(config, filters))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        taps = prod(config["kernel_size"]) * config["filters"]
        return int(2 * taps * size(inputs[0])) + after(config, output)


def _fields(rank: int) -> tuple[Field, ...]:
    return (
        Field("filters", None, integer(), searchable=True),
        *sliding(rank, causal=False),
        Field("output_padding", None, sizes_or_none(rank)),
        *trained("kernel", "bias"),
        activity(),
        *no_lora(),
        only("groups", 1, "transposed convolutions have no groups", also=(None,)),
    )


class Conv1DTranspose(_Transpose):
    """A convolution's gradient, over one axis."""

    class_name, rank, fields, stock = "Conv1DTranspose", 1, _fields(1), False


class Conv2DTranspose(_Transpose):
    """A convolution's gradient, over two axes."""

    class_name, rank, fields = "Conv2DTranspose", 2, _fields(2)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if config["output_padding"] or max(config["dilation_rate"]) > 1:
            return "TF.js ignores output_padding and dilation of Conv2DTranspose"
        return ""

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        found = self.potluck(config, inputs)
        del found["output_padding"]
        return found


class Conv3DTranspose(_Transpose):
    """A convolution's gradient, over three axes."""

    class_name, rank, fields, stock = "Conv3DTranspose", 3, _fields(3), False


KINDS: tuple[LayerKind, ...] = (Conv1DTranspose(), Conv2DTranspose(), Conv3DTranspose())
