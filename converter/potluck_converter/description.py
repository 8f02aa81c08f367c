"""What the converter understood, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from potluck_converter.graph import Graph, Model
from potluck_converter.shapes import (
    Step,
    forward_flops,
    infer_shapes,
    layer_flops,
    layer_training_flops,
    steps,
    trainable_weights,
    training_flops,
    weight_shapes,
)
from potluck_converter.stock_tfjs import gaps
from potluck_converter.wrapped import searchable
from potluck_converter.writers.forms import form_warnings, unwritable
from potluck_converter.writers.tfjs import own_classes

HUGE_EMBEDDING = 5_000_000
_SMALLEST_HALF = 6e-5  # below it half precision loses digits, and then everything


def report(model: Model) -> dict[str, Any]:
    """Describe a model: layers, shapes without the batch axis, parameters, FLOPs for one sample.

    FLOPs are decimal strings; an unknown length is `None`. Potluck trains every layer on every
    backend; `untrained_on` and `own_class` say where TF.js without potluck-tfjs.js does not.
    """
    graph = model.graph
    shapes, flops = infer_shapes(graph), layer_flops(graph)
    training = layer_training_flops(graph)
    trained = trainable_weights(graph)
    own = own_classes(graph)
    kept: dict[str, int] = {layer.name: 0 for layer in graph.layers}
    for step in steps(graph):
        kept[step.layer.name] += step.kind.state_bytes(step.layer.config, step.output)
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
                "training_flops": str(training[layer.name]),
                "activation_bytes": str(kept[layer.name]),
                "untrained_on": {} if layer.name in own else gaps(layer),
                "own_class": own.get(layer.name, ""),
                "searchable": searchable(layer),
            }
            for layer in graph.layers
        ],
        "parameters": sum(sizes.values()),
        "trainable_parameters": sum(n for name, n in sizes.items() if name in trained),
        "input_shapes": {ref.layer: list(shapes[ref.layer]) for ref in graph.inputs},
        "output_shapes": {ref.layer: list(shapes[ref.layer]) for ref in graph.outputs},
        "forward_flops": str(forward_flops(graph)),
        "training_flops": str(training_flops(graph)),
        "activation_bytes": str(sum(kept.values())),
        "unwritable": unwritable(graph),
        "warnings": [*model.warnings, *graph_warnings(graph), *_joined_masks(model)],
    }


def _joined_masks(model: Model) -> list[str]:
    """Say where a file of Keras 2 joins masks, which Keras 3 does otherwise."""
    if not model.source.startswith("Keras 2"):
        return []
    joins = {
        step.layer.name: None
        for step in steps(model.graph)
        if step.layer.class_name in _JOINS and sum(step.masked) > 1
    }
    return [
        f'"{name}" joins masks: Keras 2 keeps a step that all inputs keep, Keras 3 and this '
        "converter one that any keeps. Where the masks differ, so do predictions."
        for name in joins
    ]


_JOINS = frozenset(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"))
"""Layers whose mask is made of their inputs'."""


def graph_warnings(graph: Graph) -> list[str]:
    """Say what a person should know before training this graph."""
    found = []
    walked = steps(graph)
    if any(n is None for step in walked for n in step.output):
        found.append("Some lengths are open; FLOPs count each as one.")
    if not trainable_weights(graph):
        found.append("Nothing in this model can be trained.")
    own = own_classes(graph)
    if own:
        shown = ", ".join(f"{name} ({reason})" for name, reason in list(own.items())[:5])
        more = f" and {len(own) - 5} more" if len(own) > 5 else ""
        found.append(f"In a page of your own, TF.js needs potluck-tfjs.js for {shown}{more}.")
    found += form_warnings(graph)
    found += _untrained_alone(graph, own)
    found += _masked_outputs(graph, walked)
    for step in {step.layer.name: step for step in walked}.values():
        found += _layer_warnings(step)
    return found


def _untrained_alone(graph: Graph, own: Mapping[str, str]) -> list[str]:
    """Say once, for each reason, what TF.js does not train without our kernels."""
    names: dict[tuple[str, str], list[str]] = {}
    for layer in graph.layers:
        for backend, reason in gaps(layer).items() if layer.name not in own else ():
            names.setdefault((backend, reason), []).append(layer.name)
    if not names:
        return []
    told = []
    for (backend, reason), which in names.items():
        more = f" and {len(which) - 5} more" if len(which) > 5 else ""
        told.append(f"{', '.join(which[:5])}{more} on {backend} ({reason})")
    return [
        "Here every layer trains on every backend. TF.js alone, without potluck-tfjs.js, does not "
        f"train {'; '.join(told)}."
    ]


def _masked_outputs(graph: Graph, walked: Sequence[Step]) -> list[str]:
    """Say where Keras would leave steps out of the loss."""
    masked = {
        (step.layer.name, step.call)
        for step in walked
        if step.masked and step.kind.mask_out(step.layer.config, step.masked)
    }
    return [
        f'Output "{ref.layer}" carries a mask: Keras leaves masked steps out of the loss, TF.js '
        "counts them."
        for ref in graph.outputs
        if (ref.layer, ref.call) in masked
    ]


def _layer_warnings(step: Step) -> list[str]:
    layer, config = step.layer, step.layer.config
    found = []
    if layer.class_name == "Embedding":
        table = config["input_dim"] * config["output_dim"]
        if table > HUGE_EMBEDDING:
            found.append(
                f'Embedding "{layer.name}" has {table:,} parameters, all sent with each result.'
            )
    if config.get("epsilon", 1.0) < _SMALLEST_HALF:
        found.append(
            f'The epsilon of "{layer.name}" ({config["epsilon"]:g}) is lost on devices that '
            "compute in half precision."
        )
    if any(config.get(key) for key in config if key.endswith("_constraint")):
        found.append(
            f'The constraint of "{layer.name}" is applied after each step, and by TF.js as soon as '
            "weights are loaded: a model that was never trained may predict otherwise."
        )
    return found


def _alone(layer: Mapping[str, Any]) -> str:
    if layer["own_class"]:
        return "no"
    backends = layer["untrained_on"]
    return f"not on {', '.join(backends)}" if backends else "trains"


def as_text(found: dict[str, Any]) -> str:
    """Lay a report out as a table for a terminal."""
    head = (
        "layer",
        "class",
        "output",
        "parameters",
        "FLOPs",
        "training",
        "kept bytes",
        "TF.js alone",
    )
    rows = [
        (
            layer["name"] + ("" if layer["trainable"] else " (frozen)"),
            layer["class_name"] + ("*" if layer["own_class"] else ""),
            "×".join("any" if n is None else str(n) for n in layer["output_shape"]),
            f"{layer['parameters']:,}",
            f"{int(layer['forward_flops']):,}",
            f"{int(layer['training_flops']):,}",
            f"{int(layer['activation_bytes']):,}",
            _alone(layer),
        )
        for layer in found["layers"]
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [found["source"]]
    for row in (head, tuple("-" * width for width in widths), *rows):
        cells = [
            cell.rjust(width) if 2 < i < 7 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    if any(layer["own_class"] for layer in found["layers"]):
        lines.append("* a TF.js class of Potluck's own")
    lines.append("Potluck trains every layer on every backend; the last column is of stock TF.js.")
    lines.append(
        f"{found['parameters']:,} parameters, {found['trainable_parameters']:,} of them trained; "
        f"{int(found['forward_flops']):,} FLOPs a sample forward, "
        f"{int(found['training_flops']):,} training; "
        f"{int(found['activation_bytes']):,} bytes kept a sample"
    )
    lines += [f"note: {warning}" for warning in found["warnings"]]
    return "\n".join(lines)
