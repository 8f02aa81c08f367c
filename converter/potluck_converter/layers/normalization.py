"""Normalizations by batch, layer, group, length, and by statistics fitted beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, WeightSpec, known, size
from potluck_converter.layers.checks import axes, boolean, defaulted, integer, number, only
from potluck_converter.layers.initializers import ONES, ZEROS, initializer
from potluck_converter.layers.penalties import activity, constraint, regularizer
from potluck_converter.layers.rectifiers import axis_number, last_axis, place

_yes = defaulted(boolean, True)

STOCK_AXES = 4
"""So many axes, the batch's included, TF.js's own BatchNormalization knows."""


def scaled() -> tuple[Field, ...]:
    """Make the fields of a learned scale and shift."""
    return (
        Field("center", True, _yes),
        Field("scale", True, _yes),
        Field("beta_initializer", ZEROS, initializer),
        Field("gamma_initializer", ONES, initializer),
        Field("beta_regularizer", None, regularizer),
        Field("gamma_regularizer", None, regularizer),
        Field("beta_constraint", None, constraint),
        Field("gamma_constraint", None, constraint),
        activity(),
    )


def gamma_beta(config: Config, shape: tuple[int, ...]) -> list[WeightSpec]:
    """Give the learned scale and shift that the layer has."""
    found = []
    if config["scale"]:
        found.append(WeightSpec("gamma", shape, config["gamma_initializer"]))
    if config["center"]:
        found.append(WeightSpec("beta", shape, config["beta_initializer"]))
    return found


class BatchNormalization(LayerKind):
    """Scale by the batch's statistics while training, by moving ones afterwards."""

    class_name, mask = "BatchNormalization", "matters"
    ignored = frozenset({"synchronized", "fused", "renorm_clipping", "renorm_momentum"})
    uses_training = True
    fields = (
        Field("axis", -1, axis_number),
        Field("momentum", 0.99, number(0.0), searchable=True),
        Field("epsilon", 1e-3, number(0.0), searchable=True),
        only("renorm", False, "batch renormalization is not in TF.js", also=(None,)),
        Field("moving_mean_initializer", ZEROS, initializer),
        Field("moving_variance_initializer", ONES, initializer),
        *scaled(),
    )

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axis(config, inputs)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        known(inputs[0][place(config["axis"], inputs[0])], "a normalized axis")
        return inputs[0]

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        shape = (known(inputs[0][place(config["axis"], inputs[0])], "a normalized axis"),)
        mean, variance = config["moving_mean_initializer"], config["moving_variance_initializer"]
        return (
            *gamma_beta(config, shape),
            WeightSpec("moving_mean", shape, mean, trainable=False),
            WeightSpec("moving_variance", shape, variance, trainable=False),
        )

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if not trainable:
            return "TF.js goes on updating a frozen BatchNormalization, where Keras stops"
        if config["axis"] != -1:
            return "TF.js trains BatchNormalization over the last axis only"
        if not config["scale"] or not config["center"]:
            return "TF.js cannot train a BatchNormalization without scale or center"
        if len(inputs[0]) + 1 > STOCK_AXES:
            return "TF.js normalizes batches of up to four axes"
        return ""

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 4 * size(output)


class LayerNormalization(LayerKind):
    """Scale each sample by its own statistics."""

    class_name = "LayerNormalization"
    fields = (
        Field("axis", [-1], axes),
        Field("epsilon", 1e-3, number(0.0), searchable=True),
        Field("rms_scaling", False, defaulted(boolean, False)),
        *scaled(),
    )

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axes(config, inputs)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        axes_shape(config, inputs[0])
        return inputs[0]

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        shape = axes_shape(config, inputs[0])
        if config["rms_scaling"]:
            return (WeightSpec("gamma", shape, config["gamma_initializer"]),)
        return tuple(gamma_beta(config, shape))

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        if config["axis"] != [-1]:
            return "TF.js normalizes layers over the last axis only"
        plain = config["scale"] and config["center"] and not config["rms_scaling"]
        return "" if plain else "TF.js needs a LayerNormalization's scale and center"

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        found = self.potluck(config, inputs)
        del found["rms_scaling"]
        return found

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 8 * size(output)


def last_axes(config: Config, inputs: Sequence[Shape]) -> Config:
    """Write axes as counted from the end, in order."""
    rank = len(inputs[0]) + 1
    return {**config, "axis": sorted(n if n < 0 else n - rank for n in config["axis"])}


def axes_shape(config: Config, shape: Shape) -> tuple[int, ...]:
    """Give the lengths of a layer's axes, which must be known."""
    places = sorted(place(axis, shape) for axis in config["axis"])
    if len(set(places)) != len(places):
        raise Unfit("each axis once", got=config["axis"], field="axis")
    return tuple(known(shape[n], "a normalized axis") for n in places)


class RMSNormalization(LayerKind):
    """Scale each sample by the root of its mean square."""

    class_name, stock, mask, keras2 = "RMSNormalization", False, "ends", False
    fields = (
        Field("axis", [-1], axes),
        Field("epsilon", 1e-6, number(0.0), searchable=True),
        activity(),
    )

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axes(config, inputs)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        axes_shape(config, inputs[0])
        return inputs[0]

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        return (WeightSpec("scale", axes_shape(config, inputs[0]), ONES),)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 4 * size(output)


class GroupNormalization(LayerKind):
    """Scale groups of channels by their own statistics."""

    class_name, stock = "GroupNormalization", False
    fields = (
        Field("groups", 32, integer(-1)),
        Field("axis", -1, axis_number),
        Field("epsilon", 1e-3, number(0.0), searchable=True),
        *scaled(),
    )

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axis(config, inputs)

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        channels = self.channels(config, inputs)
        groups = channels if config["groups"] == -1 else config["groups"]
        if groups < 1 or channels % groups:
            raise Unfit("groups that divide the channels", got=str(groups), field="groups")
        return inputs[0]

    def channels(self, config: Config, inputs: Sequence[Shape]) -> int:
        """Give the length of the axis that is cut into groups."""
        return known(inputs[0][place(config["axis"], inputs[0])], "a channel axis")

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        return tuple(gamma_beta(config, (self.channels(config, inputs),)))

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 8 * size(output)


class UnitNormalization(LayerKind):
    """Scale each sample to length one."""

    class_name, stock = "UnitNormalization", False
    fields = (Field("axis", [-1], axes), activity())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        for axis in config["axis"]:
            place(axis, inputs[0])
        return inputs[0]

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        return last_axes(config, inputs)

    def keras(self, config: Config) -> dict[str, Any]:
        found = dict(config)
        if len(found["axis"]) == 1:
            found["axis"] = found["axis"][0]
        return found

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 3 * size(output)


def _statistics(value: Any) -> Any:
    """Accept numbers in nested lists, of at most a few thousand."""
    left = 100_000

    def look(item: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Unfit("fewer statistics")
        if isinstance(item, list | tuple):
            return [look(part) for part in item]
        return number()(item)

    return None if value is None else look(value)


def _fitted_axes(value: Any) -> list[int]:
    return [] if value is None or value in ((), []) else axes(value)


class Normalization(LayerKind):
    """Subtract means and divide by deviations that were fitted to data before training."""

    class_name, stock = "Normalization", False
    fields = (
        Field("axis", [-1], _fitted_axes),
        Field("mean", None, _statistics),
        Field("variance", None, _statistics),
        Field("invert", False, defaulted(boolean, False)),
        activity(),
    )

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if "axis" in raw and raw["axis"] is None:
            raw["axis"] = []
        return raw

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        if (config["mean"] is None) != (config["variance"] is None):
            raise Unfit("mean and variance together", field="mean")
        axes_shape(config, inputs[0])
        return inputs[0]

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        if config["mean"] is not None:
            return ()
        shape = axes_shape(config, inputs[0])
        return (
            WeightSpec("mean", shape, ZEROS, trainable=False),
            WeightSpec("variance", shape, ONES, trainable=False),
            WeightSpec("count", (), ZEROS, trainable=False, count=True),
        )

    def keras(self, config: Config) -> dict[str, Any]:
        return {**config, "axis": tuple(config["axis"]) or None}

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 2 * size(output)


KINDS: tuple[LayerKind, ...] = (
    BatchNormalization(),
    LayerNormalization(),
    RMSNormalization(),
    GroupNormalization(),
    UnitNormalization(),
    Normalization(),
)
