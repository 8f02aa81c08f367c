"""LSTM."""

# ruff: noqa: ARG002 - every entry answers the same questions, whether or not it needs all of them

from __future__ import annotations

from collections.abc import Sequence

from potluck_converter.graph import Shape
from potluck_converter.layers.base import (
    Config,
    Field,
    LayerKind,
    WeightSpec,
    known,
    need_rank,
)
from potluck_converter.layers.checks import (
    activation,
    boolean,
    constraint_free,
    integer,
    no_activity_regularizer,
    only,
    regularizer,
)
from potluck_converter.layers.core import GLOROT, ZEROS
from potluck_converter.layers.initializers import initializer

_MASKS = "a donor could not replay its masks after a break"
_MASKS_HINT = "Put a Dropout layer before the LSTM instead."


class LSTM(LayerKind):
    """Long short-term memory over the first axis."""

    class_name = "LSTM"
    # How it is computed, not what: Keras's own hints, and what only matters with masks.
    ignored = frozenset(
        {"unroll", "implementation", "use_cudnn", "seed", "zero_output_for_mask", "input_shape"}
    )
    fields = (
        Field("units", None, integer(), searchable=True),
        Field("activation", "tanh", activation, searchable=True),
        Field("recurrent_activation", "sigmoid", activation),
        Field("use_bias", True, boolean),
        Field("kernel_initializer", GLOROT, initializer),
        Field(
            "recurrent_initializer",
            {"class_name": "Orthogonal", "config": {"gain": 1.0}},
            initializer,
        ),
        Field("bias_initializer", ZEROS, initializer),
        Field("unit_forget_bias", True, boolean),
        Field("kernel_regularizer", None, regularizer),
        Field("recurrent_regularizer", None, regularizer),
        Field("bias_regularizer", None, regularizer),
        Field("return_sequences", False, boolean),
        only("return_state", False, "layers with several outputs are not read", also=(None,)),
        only("go_backwards", False, "reversed sequences are not read", also=(None,)),
        only("stateful", False, "a state kept between batches cannot be handed on", also=(None,)),
        only("time_major", False, "TF.js expects the batch axis first", also=(None,)),
        only("dropout", 0.0, _MASKS, _MASKS_HINT, also=(0, None)),
        only("recurrent_dropout", 0.0, _MASKS, _MASKS_HINT, also=(0, None)),
        no_activity_regularizer(),
        constraint_free("kernel_constraint"),
        constraint_free("recurrent_constraint"),
        constraint_free("bias_constraint"),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        steps, features = need_rank(inputs, 2)
        known(features, "features")
        return (steps, config["units"]) if config["return_sequences"] else (config["units"],)

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        units, features = config["units"], known(inputs[0][1], "features")
        found = [
            WeightSpec("kernel", (features, 4 * units), config["kernel_initializer"]),
            WeightSpec("recurrent_kernel", (units, 4 * units), config["recurrent_initializer"]),
        ]
        if config["use_bias"]:
            ones = (units, 2 * units) if config["unit_forget_bias"] else None
            found.append(WeightSpec("bias", (4 * units,), config["bias_initializer"], ones=ones))
        return tuple(found)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        units, features = config["units"], known(inputs[0][1], "features")
        each = 8 * units * (features + units) + 14 * units
        return int((inputs[0][0] or 1) * each)


KINDS: tuple[LayerKind, ...] = (LSTM(),)
