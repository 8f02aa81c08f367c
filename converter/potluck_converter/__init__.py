"""Read, describe, change and write Keras and TF.js models, without Keras or TensorFlow."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from potluck_converter.assemble import stateful_layers
    from potluck_converter.compiled import compiled
    from potluck_converter.conversion import convert
    from potluck_converter.description import as_text, report
    from potluck_converter.errors import ConversionError
    from potluck_converter.files import from_files, to_files, weights_from_bytes, weights_to_bytes
    from potluck_converter.fresh_weights import initial_weights
    from potluck_converter.graph import Call, Graph, Layer, Model, Shape, TensorRef
    from potluck_converter.graph_json import graph_bytes, graph_from_json, graph_to_json
    from potluck_converter.input_width import InputFit, input_fit, with_input_width
    from potluck_converter.isolation import (
        convert_into,
        convert_isolated,
        from_folder,
        memory_for,
    )
    from potluck_converter.limits import DEFAULT_LIMITS, Limits
    from potluck_converter.memory import TrainingMemory, training_memory
    from potluck_converter.overrides import with_overrides
    from potluck_converter.read import read_model
    from potluck_converter.rendering import render_isolated
    from potluck_converter.shapes import (
        forward_flops,
        infer_shapes,
        trainable_weights,
        training_flops,
        weight_shapes,
    )
    from potluck_converter.writers.forms import form_warnings, unwritable
    from potluck_converter.writers.keras_h5 import write_keras_h5
    from potluck_converter.writers.keras_zip import write_keras_zip
    from potluck_converter.writers.tfjs import tfjs_topology, write_tfjs

__all__ = [
    "DEFAULT_LIMITS",
    "Call",
    "ConversionError",
    "Graph",
    "InputFit",
    "Layer",
    "Limits",
    "Model",
    "Shape",
    "TensorRef",
    "TrainingMemory",
    "as_text",
    "compiled",
    "convert",
    "convert_into",
    "convert_isolated",
    "form_warnings",
    "forward_flops",
    "from_files",
    "from_folder",
    "graph_bytes",
    "graph_from_json",
    "graph_to_json",
    "infer_shapes",
    "initial_weights",
    "input_fit",
    "memory_for",
    "read_model",
    "render_isolated",
    "report",
    "stateful_layers",
    "tfjs_topology",
    "to_files",
    "trainable_weights",
    "training_flops",
    "training_memory",
    "unwritable",
    "weight_shapes",
    "weights_from_bytes",
    "weights_to_bytes",
    "with_input_width",
    "with_overrides",
    "write_keras_h5",
    "write_keras_zip",
    "write_tfjs",
]

_HOMES = {
    "potluck_converter.assemble": ("stateful_layers",),
    "potluck_converter.compiled": ("compiled",),
    "potluck_converter.conversion": ("convert",),
    "potluck_converter.errors": ("ConversionError",),
    "potluck_converter.files": (
        "from_files",
        "to_files",
        "weights_from_bytes",
        "weights_to_bytes",
    ),
    "potluck_converter.fresh_weights": ("initial_weights",),
    "potluck_converter.graph": (
        "Call",
        "Graph",
        "Layer",
        "Model",
        "Shape",
        "TensorRef",
    ),
    "potluck_converter.graph_json": (
        "graph_bytes",
        "graph_from_json",
        "graph_to_json",
    ),
    "potluck_converter.input_width": ("InputFit", "input_fit", "with_input_width"),
    "potluck_converter.isolation": (
        "convert_into",
        "convert_isolated",
        "from_folder",
        "memory_for",
    ),
    "potluck_converter.limits": (
        "DEFAULT_LIMITS",
        "Limits",
    ),
    "potluck_converter.overrides": ("with_overrides",),
    "potluck_converter.read": ("read_model",),
    "potluck_converter.rendering": ("render_isolated",),
    "potluck_converter.description": (
        "as_text",
        "report",
    ),
    "potluck_converter.shapes": (
        "forward_flops",
        "infer_shapes",
        "trainable_weights",
        "training_flops",
        "weight_shapes",
    ),
    "potluck_converter.memory": (
        "TrainingMemory",
        "training_memory",
    ),
    "potluck_converter.writers.forms": ("form_warnings", "unwritable"),
    "potluck_converter.writers.keras_h5": ("write_keras_h5",),
    "potluck_converter.writers.keras_zip": ("write_keras_zip",),
    "potluck_converter.writers.tfjs": (
        "tfjs_topology",
        "write_tfjs",
    ),
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for: one conversion needs few of them."""
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
