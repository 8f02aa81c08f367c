"""Conv1D, Conv2D and Conv3D: causal, dilated and grouped too."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.activations import activation
from potluck_converter.layers.base import (
    Check,
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
    boolean,
    channels_last,
    choice,
    defaulted,
    integer,
    no_lora,
    sizes,
)
from potluck_converter.layers.core import activated, after, bias_of, trained
from potluck_converter.layers.penalties import activity


def padding(rank: int) -> Check:
    """Accept "same" or "valid", and for sequences "causal"."""
    return choice(*(("valid", "same", "causal") if rank == 1 else ("valid", "same")))


def window(
    length: int | None, kernel: int, stride: int, pad: str, what: str, dilation: int = 1
) -> int | None:
    """Give the length after a window slid over it; raises Unfit where it does not fit."""
    if length is None:
        return None
    if pad in ("same", "causal"):
        return -(-length // stride)
    reach = (kernel - 1) * dilation + 1
    if length < reach:
        raise Unfit(f"an input at least as long as the {what} ({reach})", got=str(length))
    return (length - reach) // stride + 1


def slid(config: Config, shape: Shape) -> list[int | None]:
    """Give the lengths after the kernel slid over each axis but the last; raises Unfit."""
    walk = zip(
        shape[:-1],
        config["kernel_size"],
        config["strides"],
        config["dilation_rate"],
        strict=True,
    )
    try:
        return [window(n, k, s, config["padding"], "kernel", d) for n, k, s, d in walk]
    except Unfit as error:
        error.got = show(shape)
        raise


def one_of_two(config: Config) -> None:
    """Refuse strides together with dilation, which no backend computes."""
    if max(config["strides"]) > 1 and max(config["dilation_rate"]) > 1:
        raise Unfit("strides of 1 where dilated", got=str(config["strides"]), field="strides")


def sliding(rank: int, *, causal: bool = True) -> tuple[Field, ...]:
    """Make the fields of every layer that slides a kernel."""
    one: Any = [1] * rank
    return (
        Field("kernel_size", None, sizes(rank), searchable=True),
        Field("strides", one, sizes(rank), searchable=True),
        Field("padding", "valid", padding(rank if causal else 0), searchable=True),
        channels_last(),
        Field("dilation_rate", one, defaulted(sizes(rank), one), searchable=True),
        Field("activation", "linear", activation, searchable=True),
        Field("use_bias", True, boolean, searchable=True),
    )


class _Conv(LayerKind):
    rank: int
    mask = "ends"
    ignored = frozenset({"rank"})

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        shape = need_rank(inputs, self.rank + 1)
        channels = known(shape[-1], "channels")
        one_of_two(config)
        if channels % config["groups"] or config["filters"] % config["groups"]:
            raise Unfit(
                "groups that divide both channels and filters",
                got=f"{config['groups']} groups, {channels} channels, {config['filters']} filters",
                field="groups",
            )
        return (*slid(config, shape), activated(config, config["filters"]))

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        channels, filters = known(inputs[0][-1], "channels"), config["filters"]
        shape = (*config["kernel_size"], channels // config["groups"], filters)
        kernel = WeightSpec("kernel", shape, config["kernel_initializer"])
        return (kernel, *bias_of(config, filters))

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if config["padding"] == "causal":
            return "TF.js fails when it runs a causal convolution"
        if max(config["dilation_rate"]) > 1:
            return "TF.js has no gradient for dilated convolutions"
        if config["groups"] > 1:
            return "TF.js ignores groups"
        return ""

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        found = self.potluck(config, inputs)
        del found["groups"]
        return found

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        taps = prod(config["kernel_size"]) * known(inputs[0][-1], "channels") // config["groups"]
        return int(2 * taps * config["filters"] * size(output[:-1])) + after(config, output)


def _fields(rank: int) -> tuple[Field, ...]:
    return (
        Field("filters", None, integer(), searchable=True),
        *sliding(rank),
        Field("groups", 1, defaulted(integer(), 1)),
        *trained("kernel", "bias"),
        activity(),
        *no_lora(),
    )


class Conv1D(_Conv):
    """A convolution over one axis."""

    class_name, rank, fields = "Conv1D", 1, _fields(1)


class Conv2D(_Conv):
    """A convolution over two axes."""

    class_name, rank, fields = "Conv2D", 2, _fields(2)


class Conv3D(_Conv):
    """A convolution over three axes."""

    class_name, rank, fields = "Conv3D", 3, _fields(3)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        return "TF.js's gradient of Conv3D is wrong on WASM"


KINDS: tuple[LayerKind, ...] = (Conv1D(), Conv2D(), Conv3D())
