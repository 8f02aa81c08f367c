"""Image preprocessing: rescaling, resizing, cropping, and random changes while training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, need_rank, size
from potluck_converter.layers.checks import (
    boolean,
    channels_last,
    choice,
    defaulted,
    integer,
    number,
    only,
    optional,
)
from potluck_converter.layers.penalties import activity

_METHODS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


def number_or_numbers(value: Any) -> float | list[float]:
    """Accept a number, or one for each channel."""
    one = number()
    if isinstance(value, list | tuple):
        if not 1 <= len(value) <= 10_000:
            raise Unfit("a number for each channel")
        return [one(n) for n in value]
    return float(one(value))


class Rescaling(LayerKind):
    """Its input times a number, plus another."""

    class_name = "Rescaling"
    fields = (
        Field("scale", None, number_or_numbers),
        Field("offset", 0.0, number_or_numbers),
        activity(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        for key in ("scale", "offset"):
            value = config[key]
            if isinstance(value, list) and len(value) not in (1, inputs[0][-1]):
                raise Unfit("a number for each channel", got=value, field=key)
        return inputs[0]

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        many = isinstance(config["scale"], list) or isinstance(config["offset"], list)
        return "TF.js rescales by one number only" if many else ""

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 2 * size(output)


class _Image(LayerKind):
    stock = False
    mask = "ends"

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return need_rank(inputs, 3)


def _size_fields() -> tuple[Field, ...]:
    return (Field("height", None, integer()), Field("width", None, integer()), channels_last())


class Resizing(_Image):
    """An image of another size."""

    class_name = "Resizing"
    fields = (
        *_size_fields(),
        Field("interpolation", "bilinear", choice(*_METHODS)),
        Field("crop_to_aspect_ratio", False, defaulted(boolean, False)),
        Field("pad_to_aspect_ratio", False, defaulted(boolean, False)),
        only("fill_mode", "constant", "other borders are not read", also=(None,)),
        Field("fill_value", 0.0, defaulted(number(), 0.0)),
        only("antialias", False, "antialiasing is not in TF.js", also=(None,)),
        activity(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return (config["height"], config["width"], need_rank(inputs, 3)[-1])

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 8 * size(output)


class CenterCrop(_Image):
    """The middle of an image; enlarged first where it is too small."""

    class_name = "CenterCrop"
    fields = (*_size_fields(), activity())

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return (config["height"], config["width"], need_rank(inputs, 3)[-1])


class _Augmentation(_Image):
    """Random while training, nothing when predicting."""

    uses_training = True
    ignored = frozenset({"seed", "rng", "auto_vectorize"})

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


def _range(value: Any) -> list[float]:
    one = number()
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise Unfit("two numbers", got=value)
        return [one(n) for n in value]
    return [-abs(one(value)), abs(one(value))]


def _positive_range(value: Any) -> list[float]:
    found = _range(value)
    return found if isinstance(value, list | tuple) else [0.0, found[1]]


def _factor(value: Any) -> float | list[float]:
    if isinstance(value, list | tuple):
        return _range(value)
    return float(number()(value))


def _filling() -> tuple[Field, ...]:
    return (
        Field("fill_mode", "reflect", choice("reflect", "constant", "wrap", "nearest")),
        Field("interpolation", "bilinear", choice("bilinear", "nearest")),
        Field("fill_value", 0.0, defaulted(number(), 0.0)),
        channels_last(),
        activity(),
    )


def _value_range() -> Field:
    return Field("value_range", [0.0, 255.0], _range)


class RandomFlip(_Augmentation):
    """Images flipped by chance while training."""

    class_name = "RandomFlip"
    fields = (
        Field(
            "mode",
            "horizontal_and_vertical",
            choice("horizontal", "vertical", "horizontal_and_vertical"),
        ),
        channels_last(),
        activity(),
    )

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if raw.get("mode") == "horizontalAndVertical":
            raw["mode"] = "horizontal_and_vertical"
        return raw


class RandomRotation(_Augmentation):
    """Images turned by chance while training, by parts of a full turn."""

    class_name = "RandomRotation"
    ignored = frozenset({"seed", "value_range"})
    fields = (Field("factor", None, _range), *_filling())


class RandomZoom(_Augmentation):
    """Images enlarged by chance while training."""

    class_name = "RandomZoom"
    fields = (
        Field("height_factor", None, _factor),
        Field("width_factor", None, optional(_factor)),
        *_filling(),
    )


class RandomTranslation(_Augmentation):
    """Images moved by chance while training."""

    class_name = "RandomTranslation"
    fields = (
        Field("height_factor", None, _factor),
        Field("width_factor", None, _factor),
        *_filling(),
    )


class RandomContrast(_Augmentation):
    """Contrast changed by chance while training."""

    class_name = "RandomContrast"
    fields = (
        Field("factor", None, _positive_range),
        _value_range(),
        channels_last(),
        activity(),
    )

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        factor = raw.get("factor")
        if isinstance(factor, int | float) and not isinstance(factor, bool):
            raw["factor"] = [factor, factor]
        return raw


class RandomBrightness(_Augmentation):
    """Brightness changed by chance while training."""

    class_name = "RandomBrightness"
    fields = (Field("factor", None, _range), _value_range(), channels_last(), activity())


KINDS: tuple[LayerKind, ...] = (
    Rescaling(),
    Resizing(),
    CenterCrop(),
    RandomFlip(),
    RandomRotation(),
    RandomZoom(),
    RandomTranslation(),
    RandomContrast(),
    RandomBrightness(),
)
