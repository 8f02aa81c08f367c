"""Flatten, Reshape, Permute, RepeatVector."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, known, need_rank, show
from potluck_converter.layers.checks import channels_last, integer
from potluck_converter.layers.penalties import activity
from potluck_converter.limits import MAX_RANK


class _Still(LayerKind):
    mask = "ends"

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


class Flatten(_Still):
    """All axes in one."""

    class_name = "Flatten"
    fields = (channels_last(), activity())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return (prod(known(n, "axes") for n in inputs[0]),)


def _target_shape(value: Any) -> list[int]:
    length = integer(-1)
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_RANK - 1:
        raise Unfit(f"1 to {MAX_RANK - 1} lengths", got=value)
    target = [-1 if n is None else int(length(n)) for n in value]  # TF.js: null is any length
    if 0 in target or target.count(-1) > 1:
        raise Unfit("positive lengths, at most one of them -1", got=value)
    return target


class Reshape(_Still):
    """The same elements under another shape."""

    class_name = "Reshape"
    fields = (Field("target_shape", None, _target_shape), activity())

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        place, target = raw.pop("inferred", None), raw.get("target_shape")
        if type(place) is int and isinstance(target, list) and 0 <= place < len(target):
            raw["target_shape"] = [*target[:place], -1, *target[place + 1 :]]
        return raw

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        target = list(config["target_shape"])
        elements = prod(known(n, "axes") for n in inputs[0])
        rest = prod(n for n in target if n != -1)
        if -1 in target and elements % rest == 0:
            target[target.index(-1)] = elements // rest
        if prod(target) != elements or -1 in target:
            raise Unfit(
                f"a target of as many elements as the input has ({elements})",
                got=show(config["target_shape"]),
                field="target_shape",
            )
        return tuple(target)

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        # TF.js loses a -1 on its way from JSON, so the lengths are written out. It passes over
        # `inferred`, which says what comes of the others when the model is read again.
        found: dict[str, Any] = {"target_shape": list(output)}
        if -1 in config["target_shape"]:
            found["inferred"] = config["target_shape"].index(-1)
        return found


def _dims(value: Any) -> list[int]:
    one = integer(1, MAX_RANK)
    if not isinstance(value, list | tuple):
        raise Unfit("the axes in their new order, from 1", got=value)
    dims = [one(n) for n in value]
    if sorted(dims) != list(range(1, len(dims) + 1)):
        raise Unfit("each axis once, from 1", got=value)
    return dims


class Permute(_Still):
    """The axes in another order."""

    class_name = "Permute"
    fields = (Field("dims", None, _dims), activity())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        shape = need_rank(inputs, len(config["dims"]))
        return tuple(shape[n - 1] for n in config["dims"])


class RepeatVector(_Still):
    """A vector, again and again along a new axis."""

    class_name = "RepeatVector"
    fields = (Field("n", None, integer(), searchable=True), activity())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return (config["n"], *need_rank(inputs, 1))


KINDS: tuple[LayerKind, ...] = (Flatten(), Reshape(), Permute(), RepeatVector())
