"""TF.js layers format: `model.json` and weight shards that stock `tf.loadLayersModel` opens."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from potluck_converter.graph import Graph, Layer, Model
from potluck_converter.layers import TABLE
from potluck_converter.shapes import infer_shapes, weight_shapes
from potluck_converter.writers.architecture import architecture

SHARD_BYTES = 4 << 20


def tfjs_topology(graph: Graph) -> dict[str, Any]:
    """Give what `tf.models.modelFromJSON` opens; weights are named `<layer>/<weight>`."""
    shapes = infer_shapes(graph)

    def render(layer: Layer) -> dict[str, Any]:
        return TABLE[layer.class_name].tfjs(layer.config, shapes[layer.name])

    return architecture(graph, render, "Model")


def write_tfjs(model: Model, shard_bytes: int = SHARD_BYTES) -> dict[str, bytes]:
    """Write `model.json` and its shards, float32 little-endian, in the graph's order."""
    specs = []
    pieces = []
    for full, shape in weight_shapes(model.graph).items():
        specs.append({"name": full, "shape": list(shape), "dtype": "float32"})
        pieces.append(np.ascontiguousarray(model.weights[full], dtype="<f4").tobytes())
    content = b"".join(pieces)
    count = -(-len(content) // shard_bytes)
    paths = [f"group1-shard{i + 1}of{count}.bin" for i in range(count)]
    manifest = [{"paths": paths, "weights": specs}] if specs else []
    head = {
        "format": "layers-model",
        "generatedBy": "Potluck",
        "convertedBy": "Potluck",
        "modelTopology": tfjs_topology(model.graph),
        "weightsManifest": manifest,
    }
    files = {"model.json": json.dumps(head, allow_nan=False).encode()}
    for i, path in enumerate(paths):
        files[path] = content[i * shard_bytes : (i + 1) * shard_bytes]
    return files
