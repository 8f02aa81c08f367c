"""The graph as architecture JSON, in the shape that Keras 2, Keras 3 and TF.js share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from potluck_converter.graph import Graph, Layer, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.shapes import steps

Render = Callable[[Layer], tuple[str, Mapping[str, Any]]]
Nodes = Callable[[Layer], list[Any]]


def architecture(graph: Graph, render: Render, functional: str, nodes: Nodes) -> dict[str, Any]:
    """Give `{"class_name", "config"}`; `render` gives a layer's class and own config fields."""
    entries = []
    for layer in graph.layers:
        class_name, own = render(layer)
        config = {"name": layer.name, **own}
        kind = TABLE.get(layer.class_name)
        if layer.class_name != "InputLayer" and (kind is None or kind.freezable):
            config["trainable"] = layer.trainable
        entry: dict[str, Any] = {"class_name": class_name, "config": config}
        if graph.kind == "functional":
            entry["name"] = layer.name
            entry["inbound_nodes"] = nodes(layer)
        entries.append(entry)
    config = {"name": graph.name, "layers": entries}
    if graph.kind == "sequential":
        return {"class_name": "Sequential", "config": config}
    config["input_layers"] = [list(ref) for ref in graph.inputs]
    config["output_layers"] = [list(ref) for ref in graph.outputs]
    return {"class_name": functional, "config": config}


def listed_nodes(layer: Layer, options: Mapping[str, Any] | None = None) -> list[Any]:
    """Give a layer's calls as Keras 2 and TF.js read them, each with the same options."""
    told = dict(options or {})
    return [[[*ref, told] for ref in call.inputs] for call in layer.calls if call.inputs]


Tensors = Mapping[TensorRef, Mapping[str, Any]]


def described(graph: Graph) -> Tensors:
    """Give what Keras 3 says of each tensor: shape and number type."""
    return {
        TensorRef(step.layer.name, step.call): {
            "shape": [None, *step.output],
            "dtype": step.layer.config.get("dtype", "float32"),
        }
        for step in steps(graph)
    }


def keras3_nodes(layer: Layer, tensors_of: Tensors) -> list[Any]:
    """Give a layer's calls as Keras 3 alone reads them: with arguments and options."""
    kind = TABLE[layer.class_name]

    def tensor(ref: TensorRef) -> dict[str, Any]:
        config = {**tensors_of[ref], "keras_history": list(ref)}
        return {"class_name": "__keras_tensor__", "config": config}

    found = []
    for call in layer.calls:
        if not call.inputs:
            continue
        tensors = [tensor(ref) for ref in call.inputs]
        options = kind.call_options(layer.config)
        if kind.arguments:
            named = dict(zip(("key",), tensors[2:], strict=False))
            found.append({"args": tensors[:2], "kwargs": named | options})
        else:
            args = [tensors] if kind.most_inputs != 1 else tensors
            found.append({"args": args, "kwargs": options})
    return found


def bare_ends(config: dict[str, Any]) -> None:
    """Name a single input or output bare: in Keras 3 a list of one is a model that takes a list."""
    for ends in ("input_layers", "output_layers"):
        if len(config.get(ends, ())) == 1:
            config[ends] = config[ends][0]


_MODEL_HOMES = {"Sequential": "keras", "Functional": "keras.src.models.functional"}
_NO_LAYERS = {
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
}


def with_modules(config: Mapping[str, Any], *, only_layers: bool = False) -> dict[str, Any]:
    """Say of each object inside a config where Keras has its class."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and "class_name" in value:
            module = _NO_LAYERS.get(
                key.rpartition("_")[2], _MODEL_HOMES.get(value["class_name"], "keras.layers")
            )
            if key.rpartition("_")[2] not in _NO_LAYERS or not only_layers:
                inner = with_modules(value["config"], only_layers=only_layers)
                place = {"module": module, "registered_name": None}
                found[key] = {**value, "config": inner, **place}
                continue
        elif key == "cells":
            wrapped = [with_modules({"cell": one}, only_layers=only_layers) for one in value]
            value = [one["cell"] for one in wrapped]
        found[key] = value
    return found
