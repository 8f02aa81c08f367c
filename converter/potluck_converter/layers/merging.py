"""Layers that make one tensor of several: sums, products, extremes, joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, show, size
from potluck_converter.layers.checks import boolean, defaulted, integer
from potluck_converter.layers.penalties import activity
from potluck_converter.layers.rectifiers import axis_number, last_axis, place
from potluck_converter.limits import MAX_RANK


def _joined(shapes: Sequence[Shape]) -> str:
    return " and ".join(show(shape) for shape in shapes)


class _Elementwise(LayerKind):
    fewest_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = None
    fields = (activity(),)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        rank = max(len(shape) for shape in inputs)
        # As Keras aligns them: axes of length 1 go in behind the batch axis of the shorter ones.
        aligned = [(1,) * (rank - len(shape)) + shape for shape in inputs]
        out: list[int | None] = []
        for lengths in zip(*aligned, strict=True):
            stretched = {n for n in lengths if n != 1}
            fixed = stretched - {None}
            if len(fixed) > 1:
                raise Unfit("inputs of the same shape", got=_joined(inputs))
            out.append(fixed.pop() if fixed else (None if stretched else 1))
        return tuple(out)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return (len(inputs) - 1) * size(output)


class Add(_Elementwise):
    """The sum of its inputs; lengths of one stretch."""

    class_name = "Add"


class Subtract(_Elementwise):
    """The first of two less the second."""

    class_name, most_inputs, stock = "Subtract", 2, False


class Multiply(_Elementwise):
    """The product of its inputs."""

    class_name = "Multiply"


class Average(_Elementwise):
    """The mean of its inputs."""

    class_name = "Average"


class _Extreme(_Elementwise):
    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if len(set(inputs)) > 1:
            return "TF.js has no gradient of extremes where an input is stretched"
        return ""


class Maximum(_Extreme):
    """The largest of its inputs."""

    class_name = "Maximum"


class Minimum(_Extreme):
    """The smallest of its inputs."""

    class_name = "Minimum"


class Concatenate(LayerKind):
    """Its inputs one after another along an axis, which counts the batch axis as 0."""

    class_name = "Concatenate"
    fewest_inputs, most_inputs = 2, None
    fields = (Field("axis", -1, axis_number), activity())

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axis(config, inputs)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        rank = len(inputs[0])
        axis = place(config["axis"], inputs[0])
        total: int | None = 0
        rest: list[int | None] = [None] * rank
        for shape in inputs:
            if len(shape) != rank:
                raise Unfit("inputs of the same number of axes", got=_joined(inputs))
            for at, length in enumerate(shape):
                if at == axis:
                    total = None if total is None or length is None else total + length
                elif length is not None:
                    if rest[at] not in (None, length):
                        raise Unfit("inputs equal but for one axis", got=_joined(inputs))
                    rest[at] = length
        rest[axis] = total
        return tuple(rest)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


def _dot_axes(value: Any) -> int | list[int]:
    one = integer(-MAX_RANK, MAX_RANK)
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise Unfit("one axis, or one for each input", got=value)
        return [one(n) for n in value]
    return int(one(value))


class Dot(LayerKind):
    """Products of two inputs, summed over an axis of each."""

    class_name, stock, mask = "Dot", False, "ends"
    fewest_inputs, most_inputs = 2, 2
    fields = (
        Field("axes", None, _dot_axes),
        Field("normalize", False, defaulted(boolean, False)),
        activity(),
    )

    def _places(self, config: Config, inputs: Sequence[Shape]) -> tuple[int, int]:
        given = config["axes"]
        first, second = given if isinstance(given, list) else (given, given)
        return place(first, inputs[0], "axes"), place(second, inputs[1], "axes")

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        a, b = self._places(config, inputs)
        one, two = inputs
        if None not in (one[a], two[b]) and one[a] != two[b]:
            raise Unfit("axes of the same length", got=_joined(inputs), field="axes")
        out = (*one[:a], *one[a + 1 :], *two[:b], *two[b + 1 :])
        if len(out) + 1 > MAX_RANK:
            raise Unfit(f"a result of at most {MAX_RANK} axes", got=show(out))
        return out or (1,)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        a, _ = self._places(config, inputs)
        return 2 * (inputs[0][a] or 1) * size(output)


KINDS: tuple[LayerKind, ...] = (
    Add(),
    Subtract(),
    Multiply(),
    Average(),
    Maximum(),
    Minimum(),
    Concatenate(),
    Dot(),
)
