"""Add and Concatenate."""

# ruff: noqa: ARG002 - every entry answers the same questions, whether or not it needs all of them

from __future__ import annotations

from collections.abc import Sequence

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, show, size
from potluck_converter.layers.checks import no_activity_regularizer
from potluck_converter.layers.core import axis_number


def _joined(shapes: Sequence[Shape]) -> str:
    return " and ".join(show(shape) for shape in shapes)


class Add(LayerKind):
    """The sum of its inputs; lengths of one stretch."""

    class_name = "Add"
    fewest_inputs, most_inputs = 2, None
    fields = (no_activity_regularizer(),)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        if len({len(shape) for shape in inputs}) != 1:
            raise Unfit("inputs of the same number of axes", got=_joined(inputs))
        out: list[int | None] = []
        for lengths in zip(*inputs, strict=True):
            stretched = {n for n in lengths if n != 1}
            fixed = stretched - {None}
            if len(fixed) > 1:
                raise Unfit("inputs of the same shape", got=_joined(inputs))
            out.append(fixed.pop() if fixed else (None if stretched else 1))
        return tuple(out)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return (len(inputs) - 1) * size(output)


class Concatenate(LayerKind):
    """Its inputs one after another along an axis, which counts the batch axis as 0."""

    class_name = "Concatenate"
    fewest_inputs, most_inputs = 2, None
    fields = (Field("axis", -1, axis_number), no_activity_regularizer())

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return {**config, "axis": -1} if config["axis"] == len(inputs[0]) else config

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        rank = len(inputs[0])
        axis = config["axis"] + rank if config["axis"] < 0 else config["axis"] - 1
        if not 0 <= axis < rank:
            raise Unfit("an axis of the input, not the batch", got=config["axis"], field="axis")
        total: int | None = 0
        rest: list[int | None] = [None] * rank
        for shape in inputs:
            if len(shape) != rank:
                raise Unfit("inputs of the same number of axes", got=_joined(inputs))
            for place, length in enumerate(shape):
                if place == axis:
                    total = None if total is None or length is None else total + length
                elif length is not None:
                    if rest[place] not in (None, length):
                        raise Unfit("inputs equal but for one axis", got=_joined(inputs))
                    rest[place] = length
        rest[axis] = total
        return tuple(rest)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


KINDS: tuple[LayerKind, ...] = (Add(), Concatenate())
