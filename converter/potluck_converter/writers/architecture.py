"""The graph as architecture JSON, in the shape that Keras 2, Keras 3 and TF.js share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from potluck_converter.graph import Graph, Layer

Render = Callable[[Layer], Mapping[str, Any]]


def architecture(graph: Graph, render: Render, functional: str) -> dict[str, Any]:
    """Give `{"class_name", "config"}`; `render` writes a layer's own config fields."""
    entries = []
    for layer in graph.layers:
        config = {"name": layer.name, **render(layer)}
        if layer.class_name != "InputLayer":
            config["trainable"] = layer.trainable
        entry: dict[str, Any] = {"class_name": layer.class_name, "config": config}
        if graph.kind == "functional":
            entry["name"] = layer.name
            entry["inbound_nodes"] = [
                [[*ref, {}] for ref in call.inputs] for call in layer.calls if call.inputs
            ]
        entries.append(entry)
    config = {"name": graph.name, "layers": entries}
    if graph.kind == "sequential":
        return {"class_name": "Sequential", "config": config}
    config["input_layers"] = [list(ref) for ref in graph.inputs]
    config["output_layers"] = [list(ref) for ref in graph.outputs]
    return {"class_name": functional, "config": config}
