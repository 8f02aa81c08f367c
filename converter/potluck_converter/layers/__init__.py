"""The table of layers: what each class means, in one place."""

from __future__ import annotations

from potluck_converter.layers import (
    convolution,
    core,
    merging,
    normalization,
    pooling,
    recurrent,
)
from potluck_converter.layers.base import LayerKind

TABLE: dict[str, LayerKind] = {
    kind.class_name: kind
    for module in (core, convolution, pooling, normalization, merging, recurrent)
    for kind in module.KINDS
}
