"""What Keras 2 would have written for a model of Keras 3: its connections, and its operations."""

from __future__ import annotations

import io
import json
from typing import Any

import h5py

from tests.unit.converter.oracles import save_h5

_FUNCTIONS = {
    "Add": "__operators__.add",
    "Subtract": "math.subtract",
    "Multiply": "math.multiply",
    "TrueDivide": "math.truediv",
    "Negative": "math.negative",
    "Cast": "cast",
    "Relu6": "nn.relu6",
    "GetItem": "__operators__.getitem",
}
_SECOND = {"Cast": "dtype"}


def keras2_h5(model: Any, *, quiet: tuple[str, ...] = ()) -> bytes:
    """Save a model as Keras 2 does; the layers named in `quiet` are called with training=False."""
    target = io.BytesIO(save_h5(model))
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(_older(config, quiet))
        file.attrs["keras_version"] = "2.15.0"
    return target.getvalue()


def _older(entry: dict[str, Any], quiet: tuple[str, ...]) -> dict[str, Any]:
    config = dict(entry["config"])
    if "layers" not in config:
        return entry
    config["layers"] = [_layer(layer, quiet) for layer in config["layers"]]
    for key in ("input_layers", "output_layers"):
        ends = config.get(key)
        if ends is not None and isinstance(ends[0], str):
            config[key] = [ends]
    return {**entry, "config": config}


def _layer(layer: dict[str, Any], quiet: tuple[str, ...]) -> dict[str, Any]:
    found = {**_older(layer, quiet)}
    if "inbound_nodes" not in layer:
        return found
    operation = "trainable" not in layer["config"] and layer["class_name"] in _FUNCTIONS
    extra: dict[str, Any] = {"training": False} if layer["name"] in quiet else {}
    nodes = []
    for node in layer["inbound_nodes"]:
        args = [
            *node["args"][: 1 if layer["class_name"] == "GetItem" else None],
            *(v for v in node["kwargs"].values() if isinstance(v, dict)),
        ]
        if operation:
            nodes.append(_operation(args))
            if layer["class_name"] == "GetItem":
                nodes[-1][3] = {"slice_spec": _slices(node["args"][1])}
        else:
            taken = args[0] if isinstance(args[0], list) else args
            nodes.append([[*_value(one), dict(extra)] for one in taken])
    if operation:
        sliced = layer["class_name"] == "GetItem"
        found["class_name"] = "SlicingOpLambda" if sliced else "TFOpLambda"
        found["config"] = {
            "name": layer["config"]["name"],
            "dtype": "float32",
            "trainable": True,
            "function": _FUNCTIONS[layer["class_name"]],
        }
        for node in nodes:
            if layer["class_name"] in _SECOND:
                node[3]["dtype"] = layer["config"]["dtype"]
    return {**found, "inbound_nodes": nodes}


def _operation(args: list[Any]) -> list[Any]:
    beside = {"y": _value(args[1])} if len(args) > 1 else {}
    first = _value(args[0])
    if not (isinstance(first, list) and isinstance(first[0], str)):
        first = ["_CONSTANT_VALUE", -1, first]
    return [*first, {**beside, "name": None}]


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = value["config"]
    return inner["keras_history"] if value["class_name"] == "__keras_tensor__" else inner["value"]


def _slices(spec: list[Any]) -> list[Any]:
    return [
        one["config"] if "__slice__" in one.values() else {"class_name": "__ellipsis__"}
        for one in spec
    ]
