"""BatchNormalization."""

# ruff: noqa: ARG002 - every entry answers the same questions, whether or not it needs all of them

from __future__ import annotations

from collections.abc import Sequence

from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, WeightSpec, known, size
from potluck_converter.layers.checks import (
    constraint_free,
    no_activity_regularizer,
    number,
    only,
    regularizer,
)
from potluck_converter.layers.core import ZEROS, axis_number, last_axis, refuse_other_axis
from potluck_converter.layers.initializers import initializer

ONES = {"class_name": "Ones", "config": {}}
_PARTIAL = "TF.js cannot train a BatchNormalization without scale or center"


class BatchNormalization(LayerKind):
    """Scale by the batch's statistics while training, by moving ones afterwards."""

    class_name = "BatchNormalization"
    ignored = frozenset({"synchronized", "fused", "renorm_clipping", "renorm_momentum"})
    uses_training = True
    fields = (
        Field("axis", -1, axis_number),
        Field("momentum", 0.99, number(0.0), searchable=True),
        Field("epsilon", 1e-3, number(0.0), searchable=True),
        only("center", True, _PARTIAL, "Build it with center=True.", also=(None,)),
        only("scale", True, _PARTIAL, "Build it with scale=True.", also=(None,)),
        only("renorm", False, "batch renormalization is not in TF.js", also=(None,)),
        Field("beta_initializer", ZEROS, initializer),
        Field("gamma_initializer", ONES, initializer),
        Field("moving_mean_initializer", ZEROS, initializer),
        Field("moving_variance_initializer", ONES, initializer),
        Field("beta_regularizer", None, regularizer),
        Field("gamma_regularizer", None, regularizer),
        no_activity_regularizer(),
        constraint_free("beta_constraint"),
        constraint_free("gamma_constraint"),
    )

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axis(config, inputs)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        known(inputs[0][-1], "a last axis")
        return refuse_other_axis(config, inputs, "TF.js trains it over the last axis only")

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        shape = (known(inputs[0][-1], "a last axis"),)
        return (
            WeightSpec("gamma", shape, config["gamma_initializer"]),
            WeightSpec("beta", shape, config["beta_initializer"]),
            WeightSpec("moving_mean", shape, config["moving_mean_initializer"], trainable=False),
            WeightSpec(
                "moving_variance", shape, config["moving_variance_initializer"], trainable=False
            ),
        )

    def refuse_frozen(self) -> str:
        return "TF.js goes on updating a frozen BatchNormalization, where Keras stops"

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 4 * size(output)


KINDS: tuple[LayerKind, ...] = (BatchNormalization(),)
