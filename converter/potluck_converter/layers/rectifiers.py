"""Activations that Keras also has as layers with options: ReLU, LeakyReLU, PReLU, ELU, Softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, WeightSpec, known, size
from potluck_converter.layers.checks import axes, defaulted, integer, number, optional
from potluck_converter.layers.initializers import ZEROS, initializer
from potluck_converter.layers.penalties import activity, constraint, regularizer
from potluck_converter.limits import MAX_RANK


class ReLU(LayerKind):
    """max(x, 0), with a slope below a threshold, cut at `max_value`."""

    class_name = "ReLU"
    fields = (
        Field("max_value", None, optional(number(0.0)), searchable=True),
        Field("negative_slope", 0.0, defaulted(number(0.0), 0.0), searchable=True),
        Field("threshold", 0.0, defaulted(number(0.0), 0.0), searchable=True),
        activity(),
    )

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if "theta" in raw:  # Keras 2's ThresholdedReLU
            raw["threshold"] = raw.pop("theta")
        return raw

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if config["negative_slope"] or config["threshold"]:
            return "TF.js ignores ReLU's slope and threshold"
        return ""

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        return {"max_value": config["max_value"]}


class LeakyReLU(LayerKind):
    """x above 0, a part of x below."""

    class_name = "LeakyReLU"
    fields = (Field("negative_slope", 0.3, number(0.0), searchable=True), activity())

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if "alpha" in raw:
            raw["negative_slope"] = raw.pop("alpha")
        return raw

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        return {"alpha": config["negative_slope"]}


class PReLU(LayerKind):
    """x above 0, a learned part of x below."""

    class_name = "PReLU"
    fields = (
        Field("alpha_initializer", ZEROS, initializer),
        Field("alpha_regularizer", None, regularizer),
        Field("alpha_constraint", None, constraint),
        Field("shared_axes", None, optional(axes)),
        activity(),
    )

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        shared = config["shared_axes"] or []
        rank = len(inputs[0])
        if any(not 1 <= n <= rank for n in shared):
            raise Unfit(f"axes from 1 to {rank}", got=shared, field="shared_axes")
        shape = tuple(
            1 if place in shared else known(n, "axes") for place, n in enumerate(inputs[0], start=1)
        )
        return (WeightSpec("alpha", shape, config["alpha_initializer"]),)


class ELU(LayerKind):
    """x above 0, alpha (e^x - 1) below."""

    class_name = "ELU"
    fields = (Field("alpha", 1.0, number(0.0), searchable=True), activity())

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        return "" if config["alpha"] == 1.0 else "TF.js refuses ELU's alpha"


def axis_number(value: Any) -> int:
    """Accept one axis; the batch axis is 0."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return int(integer(-MAX_RANK, MAX_RANK)(value))


def last_axis(config: Config, inputs: Sequence[Shape]) -> Config:
    """Write an axis that is the last one as -1."""
    return {**config, "axis": -1} if config["axis"] == len(inputs[0]) else config


def place(axis: int, shape: Shape, field: str = "axis") -> int:
    """Give an axis's place in a shape without the batch axis; raises Unfit."""
    found = axis + len(shape) if axis < 0 else axis - 1
    if not 0 <= found < len(shape):
        raise Unfit("an axis of the input, not the batch", got=str(axis), field=field)
    return found


def axis_or_axes(value: Any) -> int | list[int]:
    """Accept one axis or several; give one as a number."""
    found = axes(value)
    return found[0] if len(found) == 1 else found


class Softmax(LayerKind):
    """Softmax over an axis, or several together."""

    class_name, mask = "Softmax", "matters"
    fields = (Field("axis", -1, axis_or_axes), activity())

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axis(config, inputs)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        given = config["axis"]
        for axis in given if isinstance(given, list) else [given]:
            place(axis, inputs[0])
        return inputs[0]

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        return "" if config["axis"] == -1 else "TF.js computes softmax over the last axis only"

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 5 * size(output)


KINDS: tuple[LayerKind, ...] = (ReLU(), LeakyReLU(), PReLU(), ELU(), Softmax())
