"""Which of TF.js 4.22's own layers do not train on which backend, by themselves.

With `potluck-tfjs.js`, and in Potluck's own pages, every layer trains on every backend: what lacks
or is wrong is replaced there. These were measured against Keras and finite differences.
"""

from __future__ import annotations

from potluck_converter.graph import Layer
from potluck_converter.wrapped import classes_inside

_FILTERS = "the gradient of a convolution's filters is missing"
_LARGEST = "the gradient is wrong where the largest value of a window is not above zero"
_CASTS = "masks are read wrongly"

GAPS: dict[str, dict[str, str]] = {
    **{
        name: {"wasm": _FILTERS}
        for name in ("Conv1D", "Conv2D", "Conv2DTranspose", "SeparableConv2D", "ConvLSTM2D")
    },
    "DepthwiseConv2D": {"wasm": "the gradients of depthwise convolution are missing"},
    "Conv3D": {"wasm": "the gradient by its input is wrong"},
    "Embedding": {"wasm": "the gradient of its table is missing"},
    **{f"MaxPooling{n}D": {"wasm": _LARGEST} for n in (1, 2, 3)},
    "Masking": {"webgpu": _CASTS},
}


def gaps(layer: Layer) -> dict[str, str]:
    """Give the backends on which TF.js alone does not train a layer or one inside it, with why."""
    found: dict[str, str] = {}
    for class_name in (layer.class_name, *classes_inside(layer)):
        for backend, reason in GAPS.get(class_name, {}).items():
            found.setdefault(backend, reason)
    return found
