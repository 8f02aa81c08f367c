"""`.h5` that Keras 3 opens."""

from __future__ import annotations

import io
import json

import h5py
import numpy as np

from potluck_converter.graph import Layer, Model
from potluck_converter.layers import TABLE
from potluck_converter.shapes import weight_shapes
from potluck_converter.writers.architecture import architecture

_ATTRIBUTE_BYTES = 60_000  # HDF5 keeps an attribute in the object's header, of 64 KiB at most


def write_keras_h5(model: Model) -> bytes:
    """Write a model without training state; weights are those of the graph, by name."""
    config = architecture(model.graph, _render, "Functional")
    for ends in ("input_layers", "output_layers"):
        # In Keras 3 a list of one is a model that takes a list; a bare reference is one tensor.
        if len(config["config"].get(ends, ())) == 1:
            config["config"][ends] = config["config"][ends][0]
    names: dict[str, list[str]] = {layer.name: [] for layer in model.graph.layers}
    for full in weight_shapes(model.graph):
        names[full.rpartition("/")[0]].append(full)
    target = io.BytesIO()
    with h5py.File(target, "w", libver="earliest") as file:
        file.attrs["keras_version"] = "3.0.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        root = file.create_group("model_weights")
        root.attrs["keras_version"] = "3.0.0"
        root.attrs["backend"] = "tensorflow"
        _write_names(root, "layer_names", list(names))
        for layer, weights in names.items():
            home = root.create_group(layer)
            _write_names(home, "weight_names", weights)
            for full in weights:
                home.create_dataset(full, data=np.asarray(model.weights[full], dtype="<f4"))
        _write_names(root.create_group("top_level_model_weights"), "weight_names", [])
    return target.getvalue()


def _render(layer: Layer) -> dict[str, object]:
    return TABLE[layer.class_name].keras(layer.config)


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
