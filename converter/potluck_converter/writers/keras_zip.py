"""`.keras` that Keras 3 opens."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO

import h5py
import numpy as np

from potluck_converter.graph import Layer, Model
from potluck_converter.layers import TABLE
from potluck_converter.optimizer_state import writable_state, write_zip_state
from potluck_converter.readers.keras_zip import keys
from potluck_converter.shapes import weight_specs
from potluck_converter.training_config import for_zip
from potluck_converter.writers.architecture import (
    architecture,
    bare_ends,
    described,
    keras3_nodes,
    with_modules,
)
from potluck_converter.writers.hard_sigmoid import for_keras
from potluck_converter.writers.order import apart_from_masks, in_keras_order

_DATE = (1980, 1, 1, 0, 0, 0)  # one text for one model


def write_keras_zip(model: Model) -> bytes:
    """Write a model; weights are those of the graph, by name. Raises ConversionError."""
    target = io.BytesIO()
    write_keras_zip_to(model, target)
    return target.getvalue()


def write_keras_zip_to(model: Model, target: Any) -> None:
    """Write a model into a file (a path or a binary file), its weights by way of a scratch file."""
    model = for_keras(model)
    graph = in_keras_order(apart_from_masks(model.graph))
    model = replace(model, optimizer_state=writable_state(model, graph), graph=graph)
    config = _config(model)
    metadata = {"keras_version": "3.6.0", "date_saved": "1980-01-01@00:00:00"}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("metadata.json", _DATE), json.dumps(metadata))
        archive.writestr(zipfile.ZipInfo("config.json", _DATE), json.dumps(config))
        with tempfile.TemporaryFile() as scratch:
            _write_weights(model, scratch)
            length = scratch.tell()
            scratch.seek(0)
            info = zipfile.ZipInfo("model.weights.h5", _DATE)
            info.file_size = length
            with archive.open(info, "w") as member:
                while part := scratch.read(1 << 20):
                    member.write(part)


def _config(model: Model) -> dict[str, Any]:
    graph = model.graph
    tensors = described(graph)
    whole = architecture(graph, _render, "Functional", lambda layer: keras3_nodes(layer, tensors))
    bare_ends(whole["config"])
    for entry in whole["config"]["layers"]:
        entry |= {"module": "keras.layers", "registered_name": None}
    whole["config"]["trainable"] = True
    module = "keras" if graph.kind == "sequential" else "keras.src.models.functional"
    found = {"module": module, "registered_name": whole["class_name"], **whole}
    if graph.kind == "sequential":
        found["registered_name"] = None
    training = for_zip(model.training_config)
    if training is not None:
        found["compile_config"] = training
    return found


def _render(layer: Layer) -> tuple[str, Mapping[str, Any]]:
    return layer.class_name, with_modules(TABLE[layer.class_name].keras(layer.config))


def _write_weights(model: Model, target: BinaryIO) -> None:
    layers = model.graph.layers
    named = keys([layer.class_name for layer in layers])
    places = {layer.name: key for layer, key in zip(layers, named, strict=True)}
    counts: dict[str, int] = {}
    with h5py.File(target, "w", libver="earliest") as file:
        for layer in layers:
            group = file.create_group(f"layers/{places[layer.name]}/vars")
            group.attrs["name"] = layer.name
        file.create_group("vars").attrs["name"] = model.graph.name
        if model.optimizer_state is not None:
            write_zip_state(file, model.optimizer_state)
        for layer, full, spec in weight_specs(model.graph):
            home = "/".join(p for p in ("layers", places[layer.name], spec.home, "vars") if p)
            index = counts[home] = counts.get(home, -1) + 1
            values = np.asarray(model.weights[full], dtype="<i4" if spec.count else "<f4")
            file.create_dataset(f"{home}/{index}", data=values)
    target.seek(0, io.SEEK_END)
