"""What the converter understood, for people."""

from __future__ import annotations

from math import prod
from typing import Any

from potluck_converter.graph import Graph, Model
from potluck_converter.layers import TABLE
from potluck_converter.shapes import (
    forward_flops,
    infer_shapes,
    layer_flops,
    trainable_weights,
    training_flops,
    weight_shapes,
)

HUGE_EMBEDDING = 5_000_000


def report(model: Model) -> dict[str, Any]:
    """Describe a model: layers, shapes without the batch axis, parameters, FLOPs for one sample.

    FLOPs are decimal strings; an unknown length is `None`.
    """
    graph = model.graph
    shapes, flops = infer_shapes(graph), layer_flops(graph)
    trained = trainable_weights(graph)
    sizes = {name: prod(shape) for name, shape in weight_shapes(graph).items()}
    per_layer: dict[str, int] = {layer.name: 0 for layer in graph.layers}
    for name, count in sizes.items():
        per_layer[name.partition("/")[0]] += count
    return {
        "source": model.source,
        "layers": [
            {
                "name": layer.name,
                "class_name": layer.class_name,
                "output_shape": list(shapes[layer.name]),
                "parameters": per_layer[layer.name],
                "trainable": layer.trainable,
                "forward_flops": str(flops[layer.name]),
                "searchable": TABLE[layer.class_name].searchable(layer.config),
            }
            for layer in graph.layers
        ],
        "parameters": sum(sizes.values()),
        "trainable_parameters": sum(n for name, n in sizes.items() if name in trained),
        "input_shapes": {ref.layer: list(shapes[ref.layer]) for ref in graph.inputs},
        "output_shapes": {ref.layer: list(shapes[ref.layer]) for ref in graph.outputs},
        "forward_flops": str(forward_flops(graph)),
        "training_flops": str(training_flops(graph)),
        "warnings": [*model.warnings, *graph_warnings(graph)],
    }


def graph_warnings(graph: Graph) -> list[str]:
    """Say what a person should know before training this graph."""
    found = []
    shapes = infer_shapes(graph)
    if any(n is None for shape in shapes.values() for n in shape):
        found.append("Some lengths are open; FLOPs count each as one.")
    if not trainable_weights(graph):
        found.append("Nothing in this model can be trained.")
    for layer in graph.layers:
        if layer.class_name == "Embedding":
            table = layer.config["input_dim"] * layer.config["output_dim"]
            if table > HUGE_EMBEDDING:
                found.append(
                    f'Embedding "{layer.name}" has {table:,} parameters, all sent with each result.'
                )
    return found


def as_text(found: dict[str, Any]) -> str:
    """Lay a report out as a table for a terminal."""
    head = ("layer", "class", "output", "parameters", "FLOPs")
    rows = [
        (
            layer["name"] + ("" if layer["trainable"] else " (frozen)"),
            layer["class_name"],
            "×".join("any" if n is None else str(n) for n in layer["output_shape"]),
            f"{layer['parameters']:,}",
            f"{int(layer['forward_flops']):,}",
        )
        for layer in found["layers"]
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [found["source"]]
    for row in (head, tuple("-" * width for width in widths), *rows):
        cells = [
            cell.rjust(width) if i > 2 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.append(
        f"{found['parameters']:,} parameters, {found['trainable_parameters']:,} of them trained; "
        f"{int(found['forward_flops']):,} FLOPs a sample forward, "
        f"{int(found['training_flops']):,} training"
    )
    lines += [f"note: {warning}" for warning in found["warnings"]]
    return "\n".join(lines)
