"""What is random while training: dropout and noise. A seed is left out: a study has its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, Field, LayerKind, need_rank
from potluck_converter.layers.checks import channels_last, integer, number
from potluck_converter.layers.penalties import activity
from potluck_converter.limits import MAX_RANK


def _noise_shape(value: Any) -> list[int | None] | None:
    if value is None:
        return None
    length = integer()
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_RANK:
        raise Unfit("a shape with the batch axis", got=value)
    found = [None, *(None if n is None else length(n) for n in value[1:])]
    if value[0] == 1:
        found[0] = 1
    return found


class _Random(LayerKind):
    ignored = frozenset({"seed"})
    uses_training = True
    stock = False


class _Shaped(_Random):
    fields = (
        Field("rate", None, number(0.0, 1.0), searchable=True),
        Field("noise_shape", None, _noise_shape),
        activity(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        noise = config["noise_shape"]
        if noise is not None:
            fits = len(noise) == len(inputs[0]) + 1 and all(
                n in (None, 1, length) for n, length in zip(noise[1:], inputs[0], strict=True)
            )
            if not fits:
                raise Unfit("a noise shape that stretches to the input", field="noise_shape")
        return inputs[0]


class Dropout(_Shaped):
    """Random zeros while training."""

    class_name, stock = "Dropout", True

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        return "TF.js reads noise_shape differently" if config["noise_shape"] else ""

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        return {"rate": config["rate"]}


class AlphaDropout(_Shaped):
    """Dropout that keeps mean and variance of what selu gives."""

    class_name = "AlphaDropout"


class GaussianDropout(_Random):
    """Factors around one while training."""

    class_name = "GaussianDropout"
    fields = (Field("rate", None, number(0.0, 1.0), searchable=True), activity())


class GaussianNoise(_Random):
    """Values around zero added while training."""

    class_name = "GaussianNoise"
    fields = (Field("stddev", None, number(0.0), searchable=True), activity())


class _Spatial(_Random):
    rank: int
    freezable = False
    ignored = frozenset({"seed", "noise_shape"})
    fields = (
        Field("rate", None, number(0.0, 1.0), searchable=True),
        channels_last(),
    )

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        return need_rank(inputs, self.rank + 1)


class SpatialDropout1D(_Spatial):
    """Dropout of whole channels."""

    class_name, rank = "SpatialDropout1D", 1


class SpatialDropout2D(_Spatial):
    """Dropout of whole channels."""

    class_name, rank = "SpatialDropout2D", 2


class SpatialDropout3D(_Spatial):
    """Dropout of whole channels."""

    class_name, rank = "SpatialDropout3D", 3


KINDS: tuple[LayerKind, ...] = (
    Dropout(),
    AlphaDropout(),
    GaussianDropout(),
    GaussianNoise(),
    SpatialDropout1D(),
    SpatialDropout2D(),
    SpatialDropout3D(),
)
