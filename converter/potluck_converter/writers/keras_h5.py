"""`.h5` that Keras 3 opens, and Keras 2 where it has the layers."""

from __future__ import annotations

import io
import json
from typing import Any

import h5py
import numpy as np

from potluck_converter.graph import Graph, Layer, Model
from potluck_converter.layers import TABLE
from potluck_converter.layers.inner_model import graph_of
from potluck_converter.shapes import weight_specs
from potluck_converter.training_config import for_h5
from potluck_converter.writers.architecture import (
    architecture,
    bare_ends,
    described,
    keras3_nodes,
    listed_nodes,
    with_modules,
)
from potluck_converter.writers.forms import check_h5
from potluck_converter.writers.hard_sigmoid import for_keras
from potluck_converter.writers.order import apart_from_masks, in_keras_order

_ATTRIBUTE_BYTES = 60_000  # HDF5 keeps an attribute in the object's header, of 64 KiB at most


def write_keras_h5(model: Model) -> bytes:
    """Write a model; weights are those of the graph, by name. Raises ConversionError."""
    target = io.BytesIO()
    write_keras_h5_to(model, target)
    return target.getvalue()


def write_keras_h5_to(model: Model, target: Any) -> None:
    """Write a model into a file (a path or a binary file), one weight after another."""
    model = for_keras(model)
    graph = in_keras_order(apart_from_masks(model.graph))
    check_h5(graph)
    config = _architecture(graph)
    names: dict[str, list[tuple[str, str]]] = {layer.name: [] for layer in graph.layers}
    # Keras takes a layer's weights in the order in which it lists them: what is trained first.
    for layer, full, spec in sorted(
        weight_specs(graph), key=lambda one: not (one[0].trainable and one[2].trainable)
    ):
        stored = full
        if spec.keras and not spec.name.endswith(spec.keras):
            stored = f"{layer.name}/{spec.keras}"
        names[layer.name].append((full, stored))
    with h5py.File(target, "w", libver="earliest") as file:
        file.attrs["keras_version"] = "3.0.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        training = for_h5(model.training_config)
        if training is not None:
            file.attrs["training_config"] = json.dumps(training).encode()
        root = file.create_group("model_weights")
        root.attrs["keras_version"] = "3.0.0"
        root.attrs["backend"] = "tensorflow"
        _write_names(root, "layer_names", list(names))
        for name, weights in names.items():
            home = root.create_group(name)
            _write_names(home, "weight_names", [stored for _, stored in weights])
            for full, stored in weights:
                home.create_dataset(stored, data=np.asarray(model.weights[full], dtype="<f4"))
        _write_names(root.create_group("top_level_model_weights"), "weight_names", [])


def _architecture(graph: Graph) -> dict[str, Any]:
    tensors = described(graph)

    def nodes(layer: Layer) -> list[Any]:
        kind = TABLE[layer.class_name]
        # Of Keras 2's way to say several arguments, Keras 3 understands nothing.
        if kind.arguments:
            return keras3_nodes(layer, tensors)
        return listed_nodes(layer, kind.call_options(layer.config))

    config = architecture(graph, _render, "Functional", nodes)
    bare_ends(config["config"])
    return config


# What Keras 2 does not know; at its default it is left out, and the layer opens there too.
_LATER = {
    "LayerNormalization": ("rms_scaling",),
    "RandomContrast": ("value_range",),
    "Resizing": ("pad_to_aspect_ratio", "fill_value"),
}


def _render(layer: Layer) -> tuple[str, dict[str, object]]:
    config = TABLE[layer.class_name].keras(layer.config)
    defaults = {field.name: field.default for field in TABLE[layer.class_name].fields}
    for key in _LATER.get(layer.class_name, ()):
        if config[key] == defaults[key]:
            del config[key]
    if layer.class_name == "LeakyReLU":
        config["alpha"] = config.pop("negative_slope")  # Keras 3 knows both words
    if layer.class_name == "TimeDistributed" and "graph" in layer.config["layer"]["config"]:
        inner = layer.config["layer"]["config"]
        own = {"name": inner["name"], "trainable": inner["trainable"]}
        model = _architecture(graph_of(inner))
        for entry in model["config"]["layers"]:
            entry |= {"module": "keras.layers", "registered_name": None}
        config["layer"] = {**model, "config": model["config"] | own}
        return layer.class_name, with_modules(config, only_layers=True)
    if layer.class_name == "InputLayer":
        # Keras 2 knows this name alone, and Keras 3 still does.
        config["batch_input_shape"] = config.pop("batch_shape")
        config["sparse"] = False
    if layer.class_name == "Attention" and config["score_mode"] == "dot":
        del config["score_mode"]  # Keras 3 takes the word for a function of that name
    return layer.class_name, with_modules(config, only_layers=True)


def _write_names(item: h5py.Group, name: str, values: list[str]) -> None:
    """Write names as Keras does: in one attribute, or in numbered ones that each fit."""
    encoded = [value.encode() for value in values]
    longest = max((len(value) for value in encoded), default=1)
    most = max(1, _ATTRIBUTE_BYTES // longest)
    if len(encoded) <= most:
        item.attrs[name] = np.array(encoded, dtype=f"S{longest}")
        return
    for chunk, start in enumerate(range(0, len(encoded), most)):
        item.attrs[f"{name}{chunk}"] = np.array(encoded[start : start + most], dtype=f"S{longest}")
