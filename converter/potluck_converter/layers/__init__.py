"""The table of layers: what each class means, in one place."""

from __future__ import annotations

from potluck_converter.layers import (
    attention,
    cells,
    conv_recurrent,
    convolution,
    core,
    depthwise,
    images,
    merging,
    noise,
    normalization,
    pooling,
    rectifiers,
    recurrent,
    resampling,
    shaping,
    transposed,
    wrappers,
)
from potluck_converter.layers.base import LayerKind

TABLE: dict[str, LayerKind] = {
    kind.class_name: kind
    for module in (
        *(core, shaping, convolution, depthwise, transposed, pooling, resampling, images),
        *(normalization, rectifiers, noise, merging, recurrent, conv_recurrent, cells, wrappers),
        attention,
    )
    for kind in module.KINDS
}

RENAMED = {"ThresholdedReLU": "ReLU"}
"""Classes that Keras 3 no longer has, by what it has instead."""
