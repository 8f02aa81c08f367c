"""Which layers do what a bare operation does: the hint where one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GENERAL = (
    "Build the model from Keras's own layers alone (docs/converter.md lists those that are read), "
    "or do this to the data before the study."
)
_RESHAPE = "Use keras.layers.Reshape in its place; its target shape leaves out the batch axis."
_SLICE = (
    "Use return_sequences=False in the layer before it for the last step, and Cropping1D, "
    "Cropping2D or Cropping3D for a part of an axis."
)
_NAMES = {
    **dict.fromkeys(("math.reduce_mean", "reduce_mean"), "Mean"),
    **dict.fromkeys(("math.reduce_max", "reduce_max"), "Max"),
    **dict.fromkeys(("math.maximum", "maximum"), "Maximum"),
    **dict.fromkeys(("compat.v1.transpose", "transpose", "transpose_v2"), "Transpose"),
    **dict.fromkeys(("linalg.matmul", "matmul"), "Matmul"),
    **dict.fromkeys(("math.l2_normalize", "linalg.l2_normalize", "nn.l2_normalize"), "Normalize"),
    **dict.fromkeys(("expand_dims", "expand_dims_v2"), "ExpandDims"),
    **dict.fromkeys(("compat.v1.squeeze", "squeeze", "squeeze_v2"), "Squeeze"),
    **dict.fromkeys(("math.exp", "exp"), "Exp"),
    "__operators__.getitem": "GetItem",
    "clip_by_value": "Clip",
    "reshape": "Reshape",
    "stack": "Stack",
}
"""TensorFlow's names for what Keras 3 calls otherwise."""
_PLAIN = {
    "Reshape": _RESHAPE,
    "Squeeze": _RESHAPE,
    "ExpandDims": _RESHAPE,
    "GetItem": _SLICE,
    "Stack": "Use keras.layers.Reshape on each, and Concatenate.",
    "Matmul": "Use keras.layers.Dot in its place.",
    "Normalize": "Use keras.layers.UnitNormalization in its place.",
    "Exp": 'Use keras.layers.Activation("exponential") in its place.',
    "Pad": "Use ZeroPadding1D, ZeroPadding2D or ZeroPadding3D in its place.",
    "Concatenate": "Use keras.layers.Concatenate in its place.",
}
_JOINING = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
_POOLING = {"Mean": "GlobalAveragePooling", "Max": "GlobalMaxPooling"}


def instead(class_name: str, config: Mapping[str, Any], nodes: Any = ()) -> str:
    """Say what to use in the place of an operation; only what does the very same is named."""
    name = class_name
    if class_name in ("TFOpLambda", "SlicingOpLambda"):
        function = str(config.get("function")).removeprefix("tf.")
        name = _NAMES.get(function, "GetItem" if class_name == "SlicingOpLambda" else "")
    tensors, others, options = _taken(nodes)
    options = {**config, **options}
    if name in _POOLING:
        return _pooling(_POOLING[name], options, tensors)
    if name == "Transpose":
        axes = options.get("axes", options.get("perm"))
        kept = isinstance(axes, list) and axes[:1] == [0]
        return "Use keras.layers.Permute in its place." if kept else _GENERAL
    if name == "Clip":
        low = options.get("x_min", options.get("clip_value_min"))
        high = options.get("x_max", options.get("clip_value_max"))
        fits = _is_zero(low) and isinstance(high, int | float) and 0 < high < 1e9
        return f"Use keras.layers.ReLU(max_value={high:g}) in its place." if fits else _GENERAL
    if name == "Maximum" and any(_is_zero(one) for one in (*others, options.get("y"))):
        return "Use keras.layers.ReLU in its place."
    if name in _JOINING and len(tensors) > 1:
        return f"Use keras.layers.{name} in its place."
    if name == "Normalize" and options.get("order", 2) != 2:
        return _GENERAL
    if name == "ExpandDims" and options.get("axis") == 0:
        return _GENERAL
    return _PLAIN.get(name, _GENERAL)


def _pooling(kind: str, options: Mapping[str, Any], tensors: list[Any]) -> str:
    """Name the pooling over all axes but the first and the last, if that is what is taken."""
    axis = options.get("axis")
    given = axis if isinstance(axis, list) else [axis]
    axes = [one for one in given if isinstance(one, int)]
    rank = len(tensors[0]) if tensors and tensors[0] else len(axes) + 2
    if len(axes) != len(given):
        return _GENERAL
    between = list(range(1, rank - 1))
    if not 1 <= len(between) <= 3 or sorted(one % rank for one in axes) != between:
        return _GENERAL
    keeps = "keepdims=True" if options.get("keepdims") is True else ""
    return f"Use keras.layers.{kind}{len(between)}D({keeps}) in its place."


def _taken(nodes: Any) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Give the shapes of the tensors that the first call takes, its constants, and its options."""
    first = nodes[0] if isinstance(nodes, list | tuple) and nodes else None
    if isinstance(first, list):  # Keras 2: [layer, call, output, options]
        entry = first[0] if first and isinstance(first[0], list) else first
        options = entry[3] if len(entry) == 4 and isinstance(entry[3], dict) else {}
        return [[]], [], options
    if not isinstance(first, dict):
        return [], [], {}
    tensors: list[Any] = []
    others: list[Any] = []
    given, named = first.get("args"), first.get("kwargs")
    for value in given if isinstance(given, list) else ():
        inner = value.get("config") if isinstance(value, dict) else None
        if isinstance(inner, dict):
            shape = inner.get("shape")
            tensors.append(shape if isinstance(shape, list) else [])
        else:
            others.append(value)
    return tensors, others, named if isinstance(named, dict) else {}


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0
