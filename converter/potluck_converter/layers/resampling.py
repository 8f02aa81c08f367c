"""UpSampling, ZeroPadding and Cropping over one, two or three axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Check, Config, Field, LayerKind, need_rank, show
from potluck_converter.layers.checks import channels_last, choice, defaulted, integer, sizes
from potluck_converter.layers.penalties import activity


class _Sampled(LayerKind):
    rank: int
    stock = False
    mask = "ends"


def _size(rank: int) -> Check:
    check = sizes(rank)

    def checked(value: Any) -> Any:
        found = check(value)
        return found[0] if rank == 1 else found

    return checked


class _UpSampling(_Sampled):
    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        if "length" in raw:
            raw["size"] = raw.pop("length")
        return raw

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        *space, channels = need_rank(inputs, self.rank + 1)
        times = config["size"] if self.rank > 1 else [config["size"]]
        sides = [None if n is None else n * t for n, t in zip(space, times, strict=True)]
        return (*sides, channels)


class UpSampling1D(_UpSampling):
    """Each step several times."""

    class_name, rank = "UpSampling1D", 1
    fields = (Field("size", 2, _size(1), searchable=True), activity())


class UpSampling2D(_UpSampling):
    """An image made larger."""

    class_name, rank = "UpSampling2D", 2
    fields = (
        Field("size", [2, 2], _size(2), searchable=True),
        channels_last(),
        Field(
            "interpolation",
            "nearest",
            defaulted(choice("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"), "nearest"),
        ),
        activity(),
    )


class UpSampling3D(_UpSampling):
    """A volume made larger."""

    class_name, rank = "UpSampling3D", 3
    fields = (Field("size", [2, 2, 2], _size(3), searchable=True), channels_last(), activity())


def sides(rank: int) -> Check:
    """Accept one number, one for each axis, or before and after for each; give pairs."""
    one = integer(0)

    def check(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            found = [[one(value)] * 2 for _ in range(rank)]
        elif rank == 1 and len(value) == 2 and not isinstance(value[0], list | tuple):
            found = [[one(n) for n in value]]
        elif len(value) == rank:
            found = [
                [one(n) for n in pair] if isinstance(pair, list | tuple) else [one(pair)] * 2
                for pair in value
            ]
        else:
            found = []
        if not found or any(len(pair) != 2 for pair in found):
            raise Unfit("how much before and after, for each axis", got=value)
        return found[0] if rank == 1 else found

    return check


def _pairs(value: Any, rank: int) -> list[list[int]]:
    return [value] if rank == 1 else value


class _ZeroPadding(_Sampled):
    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        *space, channels = need_rank(inputs, self.rank + 1)
        pairs = _pairs(config["padding"], self.rank)
        out = [None if n is None else n + sum(p) for n, p in zip(space, pairs, strict=True)]
        return (*out, channels)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after."""

    class_name, rank = "ZeroPadding1D", 1
    fields = (Field("padding", [1, 1], sides(1)), channels_last(), activity())


class ZeroPadding2D(_ZeroPadding):
    """Zeros around an image."""

    class_name, rank, stock = "ZeroPadding2D", 2, True
    fields = (Field("padding", [[1, 1], [1, 1]], sides(2)), channels_last(), activity())


class ZeroPadding3D(_ZeroPadding):
    """Zeros around a volume."""

    class_name, rank = "ZeroPadding3D", 3
    fields = (Field("padding", [[1, 1]] * 3, sides(3)), channels_last(), activity())


class _Cropping(_Sampled):
    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        *space, channels = need_rank(inputs, self.rank + 1)
        pairs = _pairs(config["cropping"], self.rank)
        out = [None if n is None else n - sum(p) for n, p in zip(space, pairs, strict=True)]
        if any(n is not None and n < 1 for n in out):
            raise Unfit("less cropped than there is", got=show(inputs[0]), field="cropping")
        return (*out, channels)

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        return 0


class Cropping1D(_Cropping):
    """A part of a sequence."""

    class_name, rank = "Cropping1D", 1
    fields = (Field("cropping", [1, 1], sides(1)), channels_last(), activity())


class Cropping2D(_Cropping):
    """A part of an image."""

    class_name, rank, stock = "Cropping2D", 2, True
    fields = (Field("cropping", [[0, 0], [0, 0]], sides(2)), channels_last(), activity())


class Cropping3D(_Cropping):
    """A part of a volume."""

    class_name, rank = "Cropping3D", 3
    fields = (Field("cropping", [[1, 1]] * 3, sides(3)), channels_last(), activity())


KINDS: tuple[LayerKind, ...] = (
    UpSampling1D(),
    UpSampling2D(),
    UpSampling3D(),
    ZeroPadding1D(),
    ZeroPadding2D(),
    ZeroPadding3D(),
    Cropping1D(),
    Cropping2D(),
    Cropping3D(),
)
