"""Arithmetic between layers (`x * 2 - 1`, `x + y`, `x / 127.5`), read as layers that compute it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potluck_converter.errors import ConversionError, shorten
from potluck_converter.graph import Graph, TensorRef
from potluck_converter.readers.blocks import Entry
from potluck_converter.readers.calls import reference, tensor
from potluck_converter.shapes import steps

MOST_CONSTANTS = 10_000

_KERAS2 = {
    **dict.fromkeys(("__operators__.add", "math.add", "add", "nn.bias_add", "math.add_n"), "Add"),
    **dict.fromkeys(("math.multiply", "multiply", "math.scalar_mul"), "Multiply"),
    **dict.fromkeys(("math.subtract", "subtract"), "Subtract"),
    **dict.fromkeys(("math.truediv", "math.divide", "truediv", "divide"), "TrueDivide"),
    **dict.fromkeys(("math.negative", "negative"), "Negative"),
    **dict.fromkeys(("math.maximum", "maximum"), "Maximum"),
    **dict.fromkeys(("math.minimum", "minimum"), "Minimum"),
    **dict.fromkeys(("math.square", "square"), "Square"),
    **dict.fromkeys(("math.pow", "pow"), "Power"),
    **dict.fromkeys(("cast", "cast_v2"), "Cast"),
    **dict.fromkeys(("concat", "concat_v2"), "Concatenate"),
    **{
        f"{home}.{name}": name.capitalize()
        for home in ("nn", "math")
        for name in (
            "relu",
            "relu6",
            "sigmoid",
            "tanh",
            "softmax",
            "softplus",
            "softsign",
            "elu",
            "selu",
        )
    },
    "nn.silu": "Silu",
    "nn.swish": "Silu",
}
"""TensorFlow's names for what Keras 3 calls otherwise."""

_TF1 = {
    "Add": "Add",
    "AddV2": "Add",
    "BiasAdd": "Add",
    "Sub": "Subtract",
    "Mul": "Multiply",
    "RealDiv": "TrueDivide",
    "Neg": "Negative",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
    "Relu": "Relu",
    "Relu6": "Relu6",
    "Sigmoid": "Sigmoid",
    "Tanh": "Tanh",
    "Square": "Square",
}
"""The operations of TensorFlow 2.0 to 2.3, which kept graph nodes."""

_ACTIVATIONS = {
    **{name.capitalize(): name for name in ("relu", "relu6", "sigmoid", "tanh", "softmax")},
    **{name.capitalize(): name for name in ("softplus", "softsign", "elu", "selu", "silu")},
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
}
_TOGETHER = ("Add", "Multiply", "Subtract", "Maximum", "Minimum")
_READ = {*_TOGETHER, *_ACTIVATIONS, "TrueDivide", "Negative", "Square", "Power", "Cast"} | {
    "Concatenate"
}
_FLOATS = ("float32", "float16", "bfloat16", "float64")
_SMALL = ("bool", "int8", "uint8", "int16", "uint16")
_PLACES = ("x", "x1", "x2", "y", "a", "b", "value", "bias", "scalar", "features", "logits", "xs")
_OWN_KEYS = ("name", "trainable", "function", "node_def", "constants")
_SILENT = ("name", "dtype", "axis", "training")
_DEFAULTS = {"data_format": ("NHWC", "channels_last"), "alpha": (1.0,)}


@dataclass
class _Taken:
    """What one node takes: tensors and constants in order, and the options beside."""

    given: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    dtypes: list[str] = field(default_factory=list)
    floats: bool = False
    """Whether a constant makes the result a floating-point number."""


def arithmetic(
    name: str, class_name: str, config: Mapping[str, Any], nodes: list[Any]
) -> list[Entry] | None:
    """Give the layers that compute an operation's result; None where no layer of the table does.

    Raises ConversionError for constants that are not one number, or one for each channel.
    """
    operation = _operation(class_name, config)
    if operation not in _READ or not nodes:
        return None
    found: list[tuple[str, dict[str, Any], tuple[TensorRef, ...]]] = []
    rank = 0
    for node in nodes:
        taken = _taken(name, class_name, config, node)
        if taken is None:
            return None
        layer = _layer(name, operation, config, taken)
        if layer is None:
            return None
        found.append(layer)
        rank = max([rank, *(np.ndim(one) for one in taken.given if not _is_ref(one))])
    first = found[0]
    if any(one[:2] != first[:2] for one in found):
        return None  # one operation with other constants at each call
    return [
        Entry(
            name,
            first[0],
            {**first[1], "name": name},
            tuple(one[2] for one in found),
            made=True,
            rank=rank,
        )
    ]


def _is_ref(value: Any) -> bool:
    return isinstance(value, TensorRef)


def _operation(class_name: str, config: Mapping[str, Any]) -> str:
    if class_name == "TFOpLambda":
        return _KERAS2.get(str(config.get("function")).removeprefix("tf."), "")
    if class_name == "TensorFlowOpLayer":
        node = config.get("node_def")
        if not isinstance(node, dict) or "NCHW" in str(node.get("attr")):
            return ""
        return _TF1.get(str(node.get("op")), "")
    return "" if class_name == "SlicingOpLambda" else class_name


def _taken(name: str, class_name: str, config: Mapping[str, Any], node: Any) -> _Taken | None:
    """Read what one call takes; None where the form is another."""
    taken = _Taken()
    if isinstance(node, dict):
        args, extra = node.get("args"), node.get("kwargs")
        if not isinstance(args, list) or not isinstance(extra or {}, dict):
            return None
        values = list(args)
        for key, value in (extra or {}).items():
            (values.append(value) if key in _PLACES else taken.options.update({key: value}))
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        for value in values:
            taken.given.append(_keras3_value(name, class_name, value, taken))
    else:
        if not _keras2_values(name, node, taken):
            return None
        constants = config.get("constants")
        if class_name == "TensorFlowOpLayer" and isinstance(constants, dict):
            for place, value in sorted(constants.items()):
                if not str(place).isdecimal() or int(place) > len(taken.given):
                    return None
                taken.given.insert(int(place), _numbers(name, value))
    return taken if any(_is_ref(one) for one in taken.given) else None


def _keras3_value(name: str, class_name: str, value: Any, taken: _Taken) -> Any:
    inner = value.get("config") if isinstance(value, dict) else None
    if isinstance(inner, dict) and value.get("class_name") in ("__numpy__", "__tensor__"):
        return _numbers(name, inner.get("value"))
    if isinstance(value, dict):
        ref = tensor(value, name, class_name)
        taken.dtypes.append(str(inner.get("dtype")) if isinstance(inner, dict) else "")
        return ref
    taken.floats = taken.floats or isinstance(value, float)
    return _numbers(name, value)


def _keras2_values(name: str, node: Any, taken: _Taken) -> bool:
    """Read `[layer, call, output, options]`, or a list of these; constants stand in the options."""
    if not isinstance(node, list) or not node:
        return False
    for entry in [node] if isinstance(node[0], str) else node:
        if not isinstance(entry, list) or not 3 <= len(entry) <= 4:
            return False
        if entry[0] == "_CONSTANT_VALUE":
            taken.given.append(_numbers(name, entry[2]))
        else:
            taken.given.append(reference(entry[:3], name))
        extra = entry[3] if len(entry) == 4 else {}
        if not isinstance(extra, dict):
            return False
        for key, value in extra.items():
            if key not in _PLACES or value is None:
                taken.options[key] = value
            elif isinstance(value, list) and value and isinstance(value[0], str):
                taken.given.append(reference(value, name))
            else:
                taken.given.append(_numbers(name, value))
    return True


def _numbers(name: str, value: Any) -> Any:
    """Accept a number, or nested lists of numbers; raises ConversionError."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | list):
            raise ValueError
        found = np.asarray(value, "float64")
        if not 0 < found.size <= MOST_CONSTANTS or not np.isfinite(found).all():
            raise ValueError
    except (ValueError, TypeError, OverflowError) as error:
        raise _constant(name, repr(value)) from error
    return found


def _constant(name: str, got: str) -> ConversionError:
    return ConversionError(
        "model.unsupported_option",
        f'"{shorten(name, 80)}" computes with a constant that is not read.',
        expected="one finite number, or one for each channel (the last axis)",
        got=shorten(got, 80),
        hint="Use a number, or do this to the data before the study.",
        where=name,
    )


def _layer(
    name: str, operation: str, config: Mapping[str, Any], taken: _Taken
) -> tuple[str, dict[str, Any], tuple[TensorRef, ...]] | None:
    """Give class, config and tensors of the layer that computes one call."""
    given = taken.given
    options = {**{k: v for k, v in config.items() if k not in _OWN_KEYS}, **taken.options}
    for key, value in options.items():
        if key not in _SILENT and value not in (None, False, *_DEFAULTS.get(key, ())):
            return None
    refs = tuple(one for one in given if _is_ref(one))
    match (operation, len(given), len(refs)):
        case ("Concatenate", count, many) if count == many > 1 and "bool" not in taken.dtypes:
            axis = options.get("axis", -1)
            whole = isinstance(axis, int) and axis != 0
            return ("Concatenate", {"axis": axis}, refs) if whole else None
        case (_, count, many) if operation in _TOGETHER and count == many > 1:
            if taken.dtypes and any(one in _SMALL for one in taken.dtypes):
                return None
            return operation, {}, refs
        case ("Square", 1, 1):
            return "Multiply", {}, refs * 2
        case ("Power", 2, 1) if _is_ref(given[0]) and given[1].size == 1 and given[1] == 2:
            return "Multiply", {}, refs * 2
        case ("Cast", 1, 1) if str(options.get("dtype")) in _FLOATS and "bool" not in taken.dtypes:
            return "Rescaling", {"scale": 1.0, "offset": 0.0}, refs
        case (_, 1, 1) if operation in _ACTIVATIONS:
            last = operation != "Softmax" or options.get("axis", -1) in (-1, None)
            return ("Activation", {"activation": _ACTIVATIONS[operation]}, refs) if last else None
    affine = _affine(name, operation, given)
    small = any(one in _SMALL for one in taken.dtypes)
    if affine is None or (small and operation != "TrueDivide" and not taken.floats):
        return None  # small whole numbers overflow and wrap round
    return "Rescaling", {"scale": affine[0], "offset": affine[1]}, refs


def _affine(name: str, operation: str, given: list[Any]) -> tuple[Any, Any] | None:
    """Write one tensor's arithmetic with constants as factor and addend."""
    if operation == "Negative" and len(given) == 1:
        return -1.0, 0.0
    if len(given) != 2 or _is_ref(given[0]) == _is_ref(given[1]):
        return None
    first = _is_ref(given[0])
    c = _channels(name, given[1] if first else given[0])
    match operation:
        case "Add":
            return 1.0, c.tolist()
        case "Multiply":
            return c.tolist(), 0.0
        case "Subtract":
            return (1.0, (-c).tolist()) if first else (-1.0, c.tolist())
        case "TrueDivide" if first:
            if not c.all() or not np.isfinite(1.0 / c).all():
                raise _constant(name, "a division by 0")
            return (1.0 / c).tolist(), 0.0
    return None


def _channels(name: str, value: Any) -> Any:
    """Give a constant as one number, or as a list of one for each channel."""
    if value.size == 1:
        return value.reshape(())
    if value.ndim and value.shape[-1] == value.size:
        return value.reshape(-1)
    raise _constant(name, f"an array of shape {value.shape}")


def check_made(graph: Graph, made: Mapping[str, tuple[int, int]]) -> None:
    """Insist that layers made of operations compute what these did; raises ConversionError.

    `made` gives their names, each with the axes of its constant and the channels that it counts on
    (0: any). Shapes and masks are known only when the graph is.
    """
    for step in steps(graph) if made else ():
        if step.layer.name not in made:
            continue
        rank, channels = made[step.layer.name]
        if channels not in (0, step.inputs[0][-1]):
            raise ConversionError(
                "model.unsupported_option",
                f'"{step.layer.name}" takes channels of images that have not {channels}.',
                expected=f"images of {channels} channels",
                got=str(step.inputs[0][-1]),
                hint="Bring the channels in order in the data, before the study.",
                where=step.layer.name,
            )
        if len({len(shape) for shape in step.inputs}) > 1 or rank > len(step.inputs[0]) + 1:
            raise ConversionError(
                "model.unsupported_option",
                f'"{step.layer.name}" computes with tensors of different numbers of axes.',
                expected="tensors of as many axes",
                got=" and ".join(str(len(shape) + 1) for shape in step.inputs),
                hint="Use the layer (keras.layers.Add, Multiply, Subtract), or Reshape first.",
                where=step.layer.name,
            )
        if any(step.masked):
            raise ConversionError(
                "model.unsupported_option",
                f'"{step.layer.name}" is an operation on a tensor with a mask, which Keras drops '
                "there.",
                expected="a layer, which keeps the mask",
                got=step.layer.class_name,
                hint="Use keras.layers.Rescaling, Add or Multiply in its place.",
                where=step.layer.name,
            )
