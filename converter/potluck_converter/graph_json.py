"""The canonical graph as JSON: one text for one graph, so that its hash names it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from potluck_converter.assemble import check_graph, known_class, settle
from potluck_converter.errors import ConversionError, Unfit
from potluck_converter.graph import Call, Graph, Layer, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import normalise
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.shapes import unfit

FORMAT = "potluck.graph.v1"


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """Give the graph as JSON values."""
    return {
        "format": FORMAT,
        "name": graph.name,
        "kind": graph.kind,
        "layers": [
            {
                "name": layer.name,
                "class_name": layer.class_name,
                "config": dict(layer.config),
                "trainable": layer.trainable,
                "calls": [[list(ref) for ref in call.inputs] for call in layer.calls],
            }
            for layer in graph.layers
        ],
        "inputs": [list(ref) for ref in graph.inputs],
        "outputs": [list(ref) for ref in graph.outputs],
    }


def graph_from_json(data: Mapping[str, Any], limits: Limits = DEFAULT_LIMITS) -> Graph:
    """Read `graph_to_json`'s values and check them whole; raises ConversionError."""
    try:
        if data["format"] != FORMAT or data["kind"] not in ("sequential", "functional"):
            raise ValueError(f"{data['format']} {data['kind']}")
        graph = Graph(
            str(data["name"]),
            data["kind"],
            tuple(_layer(layer) for layer in data["layers"]),
            tuple(_ref(ref) for ref in data["inputs"]),
            tuple(_ref(ref) for ref in data["outputs"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConversionError(
            "model.bad_config",
            "This is not a canonical graph.",
            expected=FORMAT,
            got=repr(error),
        ) from error
    if settle(graph) != graph:
        raise ConversionError("model.bad_config", "The graph is not in its canonical form.")
    check_graph(graph, limits)
    return graph


def graph_bytes(graph: Graph) -> bytes:
    """Give the canonical text: sorted keys, no spaces, ASCII."""
    return json.dumps(
        graph_to_json(graph), sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def _ref(value: Any) -> TensorRef:
    name, call, output = value
    if not isinstance(name, str) or type(call) is not int or type(output) is not int:
        raise ValueError(f"not a reference: {value!r}")
    return TensorRef(name, call, output)


def _layer(value: Mapping[str, Any]) -> Layer:
    name, class_name, trainable = value["name"], value["class_name"], value["trainable"]
    if not isinstance(name, str) or not isinstance(trainable, bool):
        raise ValueError(f"not a layer: {name!r}")
    layer = Layer(
        name,
        known_class(name, class_name),
        value["config"],
        trainable,
        tuple(Call(tuple(_ref(ref) for ref in call)) for call in value["calls"]),
    )
    try:
        full = normalise(TABLE[class_name], layer.config)
    except Unfit as error:
        raise unfit(layer, error, "model.bad_config") from error
    # Fields that an older text does not have are at their defaults.
    if {key: full.get(key) for key in layer.config} != dict(layer.config):
        wrong = Unfit("a canonical config", got=dict(layer.config))
        raise unfit(layer, wrong, "model.bad_config")
    return replace(layer, config=full)
