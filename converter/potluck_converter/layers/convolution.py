"""Conv1D and Conv2D."""

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
    show,
    size,
)
from potluck_converter.layers.checks import (
    activation,
    boolean,
    channels_last,
    choice,
    constraint_free,
    integer,
    no_activity_regularizer,
    no_lora,
    only,
    regularizer,
    sizes,
)
from potluck_converter.layers.core import GLOROT, ZEROS, after, bias_of
from potluck_converter.layers.initializers import initializer


def padding(value: Any) -> str:
    """Accept "same" or "valid"; causal is another thing."""
    if value == "causal":
        raise Unfit(
            "same or valid",
            got="causal",
            reason="TF.js fails when it runs a causal convolution",
            hint="Pad the sequence in the data and use valid.",
        )
    return str(choice("valid", "same")(value))


def window(length: int | None, kernel: int, stride: int, pad: str, what: str) -> int | None:
    """Give the length after a window slid over it; raises Unfit where it does not fit."""
    if length is None:
        return None
    if pad == "same":
        return -(-length // stride)
    if length < kernel:
        raise Unfit(f"an input at least as long as the {what} ({kernel})", got=str(length))
    return (length - kernel) // stride + 1


class _Conv(LayerKind):
    rank: int

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        *space, channels = need_rank(inputs, self.rank + 1)
        known(channels, "channels")
        walk = zip(space, config["kernel_size"], config["strides"], strict=True)
        try:
            sides = [window(n, k, s, config["padding"], "kernel") for n, k, s in walk]
        except Unfit as error:
            error.got = show(inputs[0])
            raise
        return (*sides, config["filters"])

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        channels, filters = known(inputs[0][-1], "channels"), config["filters"]
        shape = (*config["kernel_size"], channels, filters)
        kernel = WeightSpec("kernel", shape, config["kernel_initializer"])
        return (kernel, *bias_of(config, filters))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        taps = prod(config["kernel_size"]) * known(inputs[0][-1], "channels")
        return 2 * taps * size(output) + after(config, output)


def _fields(rank: int) -> tuple[Field, ...]:
    one: Any = [1] * rank
    return (
        Field("filters", None, integer(), searchable=True),
        Field("kernel_size", None, sizes(rank), searchable=True),
        Field("strides", one, sizes(rank), searchable=True),
        Field("padding", "valid", padding, searchable=True),
        channels_last(),
        only(
            "dilation_rate",
            one,
            "TF.js has no gradient for dilated convolutions",
            "Use dilation 1, or strides and larger kernels.",
            also=(1, None),
        ),
        only("groups", 1, "TF.js ignores groups", "Use groups=1.", also=(None,)),
        Field("activation", "linear", activation, searchable=True),
        Field("use_bias", True, boolean, searchable=True),
        Field("kernel_initializer", GLOROT, initializer),
        Field("bias_initializer", ZEROS, initializer),
        Field("kernel_regularizer", None, regularizer),
        Field("bias_regularizer", None, regularizer),
        no_activity_regularizer(),
        constraint_free("kernel_constraint"),
        constraint_free("bias_constraint"),
        *no_lora(),
    )


class Conv1D(_Conv):
    """A convolution over one axis."""

    class_name = "Conv1D"
    rank = 1
    fields = _fields(1)
    ignored = frozenset({"rank"})


class Conv2D(_Conv):
    """A convolution over two axes."""

    class_name = "Conv2D"
    rank = 2
    fields = _fields(2)
    ignored = frozenset({"rank"})


KINDS: tuple[LayerKind, ...] = (Conv1D(), Conv2D())
