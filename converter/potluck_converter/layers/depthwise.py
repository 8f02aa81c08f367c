"""SeparableConv1D/2D and DepthwiseConv1D/2D: each channel by itself."""

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
from potluck_converter.layers.checks import integer, no_lora, only
from potluck_converter.layers.convolution import one_of_two, slid, sliding
from potluck_converter.layers.core import activated, after, bias_of, trained
from potluck_converter.layers.penalties import activity


class _Depthwise(LayerKind):
    rank: int
    mask = "ends"
    keras_name = "kernel"

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if raw.get("groups") is not None and raw["groups"] != 1:
            raw.pop("groups")  # Keras 2 lists the channels here; they are the input's
        for part in ("initializer", "regularizer", "constraint"):
            # Keras 2 writes unused fields of the kernel beside the real ones.
            raw.pop(f"kernel_{part}", None)
        return raw

    def _sides(self, config: Config, inputs: Sequence[Shape]) -> tuple[list[int | None], int]:
        shape = need_rank(inputs, self.rank + 1)
        one_of_two(config)
        if len(set(config["strides"])) > 1:
            raise Unfit("the same stride on each axis", got=config["strides"], field="strides")
        channels = known(shape[-1], "channels") * config["depth_multiplier"]
        return slid(config, shape), channels

    def _depthwise(self, config: Config, inputs: Sequence[Shape]) -> WeightSpec:
        channels = known(inputs[0][-1], "channels")
        shape = (*config["kernel_size"], channels, config["depth_multiplier"])
        drawn = config["depthwise_initializer"]
        return WeightSpec("depthwise_kernel", shape, drawn, keras=self.keras_name)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        dilated = max(config["dilation_rate"]) > 1
        return "TF.js has no gradient for dilated convolutions" if dilated else ""

    def _depthwise_flops(self, config: Config, inputs: Sequence[Shape]) -> int:
        sides, channels = self._sides(config, inputs)
        return int(2 * prod(config["kernel_size"]) * size((*sides, channels)))


def _depthwise_fields(rank: int) -> tuple[Field, ...]:
    return (
        *sliding(rank),
        Field("depth_multiplier", 1, integer(), searchable=True),
        *trained("depthwise", "bias"),
        activity(),
        *no_lora(),
        only("groups", 1, "each channel is a group already", also=(None,)),
        only("filters", None, "the number of filters follows from the channels"),
    )


class _DepthwiseConv(_Depthwise):
    ignored = frozenset({"rank"})

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        sides, channels = self._sides(config, inputs)
        return (*sides, activated(config, channels))

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        channels = known(inputs[0][-1], "channels") * config["depth_multiplier"]
        return (self._depthwise(config, inputs), *bias_of(config, channels))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return self._depthwise_flops(config, inputs) + after(config, output)


class DepthwiseConv1D(_DepthwiseConv):
    """A kernel of its own for each channel of a sequence."""

    class_name, rank, fields, stock = "DepthwiseConv1D", 1, _depthwise_fields(1), False


class DepthwiseConv2D(_DepthwiseConv):
    """A kernel of its own for each channel of an image."""

    class_name, rank, fields = "DepthwiseConv2D", 2, _depthwise_fields(2)


def _separable_fields(rank: int) -> tuple[Field, ...]:
    return (
        Field("filters", None, integer(), searchable=True),
        *sliding(rank),
        Field("depth_multiplier", 1, integer(), searchable=True),
        *trained("depthwise", "pointwise", "bias"),
        activity(),
        *no_lora(),
        only("groups", 1, "each channel is a group already", also=(None,)),
    )


class _Separable(_Depthwise):
    ignored = frozenset({"rank"})
    keras_name = "depthwise_kernel"

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return (*self._sides(config, inputs)[0], activated(config, config["filters"]))

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        channels, filters = known(inputs[0][-1], "channels"), config["filters"]
        shape = (*[1] * self.rank, channels * config["depth_multiplier"], filters)
        pointwise = WeightSpec("pointwise_kernel", shape, config["pointwise_initializer"])
        return (self._depthwise(config, inputs), pointwise, *bias_of(config, filters))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        sides, channels = self._sides(config, inputs)
        mixed = int(2 * channels * config["filters"] * size(sides))
        return self._depthwise_flops(config, inputs) + mixed + after(config, output)


class SeparableConv1D(_Separable):
    """Each channel of a sequence by itself, then all mixed."""

    class_name, rank, fields, stock = "SeparableConv1D", 1, _separable_fields(1), False


class SeparableConv2D(_Separable):
    """Each channel of an image by itself, then all mixed."""

    class_name, rank, fields = "SeparableConv2D", 2, _separable_fields(2)


KINDS: tuple[LayerKind, ...] = (
    DepthwiseConv1D(),
    DepthwiseConv2D(),
    SeparableConv1D(),
    SeparableConv2D(),
)
