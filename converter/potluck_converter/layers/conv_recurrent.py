"""ConvLSTM2D."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from potluck_converter.graph import Shape
from potluck_converter.layers.activations import activation
from potluck_converter.layers.base import (
    Config,
    Field,
    LayerKind,
    WeightSpec,
    known,
    need_rank,
    size,
)
from potluck_converter.layers.checks import (
    boolean,
    channels_last,
    choice,
    defaulted,
    integer,
    sizes,
)
from potluck_converter.layers.convolution import one_of_two, slid
from potluck_converter.layers.recurrent import (
    HINTS,
    at_home,
    dropouts,
    forget_bias,
    looped,
    trained,
)


class ConvLSTM2D(LayerKind):
    """An LSTM over images, with convolutions in place of matrices."""

    class_name = "ConvLSTM2D"
    ignored = HINTS | {"rank"}
    uses_training = True
    fields = (
        Field("filters", None, integer(), searchable=True),
        Field("kernel_size", None, sizes(2), searchable=True),
        Field("strides", [1, 1], sizes(2)),
        Field("padding", "valid", choice("valid", "same"), searchable=True),
        channels_last(),
        Field("dilation_rate", [1, 1], defaulted(sizes(2), [1, 1])),
        Field("activation", "tanh", activation, searchable=True),
        Field("recurrent_activation", "sigmoid", activation),
        Field("use_bias", True, boolean),
        Field("unit_forget_bias", True, forget_bias),
        *trained(),
        *dropouts(),
        *looped(),
    )

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        return masked[0] and bool(config["return_sequences"])

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        steps, *image = need_rank(inputs, 4)
        known(image[-1], "channels")
        one_of_two(config)
        out = (*slid(config, tuple(image)), config["filters"])
        return (steps, *out) if config["return_sequences"] else out

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        channels, filters = known(inputs[0][-1], "channels"), config["filters"]
        around = config["kernel_size"]
        found = [
            WeightSpec("kernel", (*around, channels, 4 * filters), config["kernel_initializer"]),
            WeightSpec(
                "recurrent_kernel",
                (*around, filters, 4 * filters),
                config["recurrent_initializer"],
            ),
        ]
        if config["use_bias"]:
            ones = (filters, 2 * filters) if config["unit_forget_bias"] else None
            found.append(WeightSpec("bias", (4 * filters,), config["bias_initializer"], ones=ones))
        return at_home("cell", found)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if config["dropout"] or config["recurrent_dropout"]:
            return "TF.js draws masks inside recurrent layers that cannot be repeated"
        if max(config["dilation_rate"]) > 1:
            return "TF.js has no gradient for dilated convolutions"
        if config["go_backwards"]:
            return "TF.js does not turn images in time around on GPUs"
        return "TF.js has no zero_output_for_mask" if config["zero_output_for_mask"] else ""

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        found = self.potluck(config, inputs)
        del found["zero_output_for_mask"]
        return found

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        filters, channels = config["filters"], known(inputs[0][-1], "channels")
        image = size(output[1:-1] if config["return_sequences"] else output[:-1])
        taps = prod(config["kernel_size"]) * (channels + filters)
        return int((inputs[0][0] or 1) * image * filters * (8 * taps + 14))


KINDS: tuple[LayerKind, ...] = (ConvLSTM2D(),)
