"""Keras 2 and Keras 3 `.h5`, with h5py and json alone."""

from __future__ import annotations

from collections.abc import Mapping

import h5py
import numpy as np
from numpy.typing import NDArray

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Graph, Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.readers import bounded_json, hdf5
from potluck_converter.readers.keras_config import read_architecture
from potluck_converter.shapes import weight_shapes

# State that Keras keeps beside weights and that a model does not need.
_NOT_WEIGHTS = frozenset({"seed_generator_state"})


def read_keras_h5(content: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model saved with `model.save("*.h5")`; raises ConversionError."""
    with hdf5.open_file(content, name, limits) as file:
        architecture = hdf5.text(file, "model_config")
        if architecture is None:
            raise _no_architecture(file, name)
        config = bounded_json.parse(architecture, "model_config", limits)
        graph, warnings = read_architecture(config, limits)
        training = hdf5.text(file, "training_config")
        version = (hdf5.text(file, "keras_version") or "2")[:20]
        return Model(
            graph,
            _weights(hdf5.group(file, "model_weights"), graph, limits),
            f"Keras {'3' if version.startswith('3') else '2'} .h5",
            bounded_json.parse(training, "training_config", limits) if training else None,
            tuple(warnings),
        )


def _no_architecture(file: h5py.File, name: str) -> ConversionError:
    if "layer_names" in file.attrs or "layers" in file or "layer_names0" in file.attrs:
        return ConversionError(
            "model.weights_only",
            "The file holds weights without an architecture.",
            expected="a whole model",
            got="a file saved with save_weights",
            hint='Save with model.save("model.h5") instead.',
            where=name,
        )
    return ConversionError(
        "model.unreadable",
        "The file is HDF5, but not a Keras model.",
        expected="an attribute model_config",
        got=", ".join(sorted(map(str, list(file)[:5]))) or "nothing",
        hint='Save with model.save("model.h5").',
        where=name,
    )


def _weights(stored: h5py.Group, graph: Graph, limits: Limits) -> Mapping[str, NDArray[np.float32]]:
    """Read the weights that the graph has, by the last part of their names in the file."""
    expected: dict[str, dict[str, tuple[int, ...]]] = {}
    for full, shape in weight_shapes(graph).items():
        layer, _, weight = full.rpartition("/")
        expected.setdefault(layer, {})[weight] = shape
    # Layers were renamed where their names held a slash; the groups in the file were not.
    listed = {given.replace("/", "_"): given for given in hdf5.texts(stored, "layer_names", limits)}
    weights = {}
    for layer, shapes in expected.items():
        if layer not in listed:
            raise mismatch(layer, list(shapes), [])
        home = hdf5.group(stored, listed[layer])
        paths: dict[str, str] = {}
        for path in hdf5.texts(home, "weight_names", limits):
            short = path.rpartition("/")[2].removesuffix(":0")
            if short in _NOT_WEIGHTS:
                continue
            if short in paths:
                raise mismatch(layer, list(shapes), [short, short])
            paths[short] = path
        if paths.keys() != shapes.keys():
            raise mismatch(layer, list(shapes), list(paths))
        for weight, shape in shapes.items():
            full = f"{layer}/{weight}"
            weights[full] = hdf5.floats(home, paths[weight], shape, full, limits)
    return weights


def mismatch(layer: str, expected: list[str], got: list[str]) -> ConversionError:
    """Say that a layer's weights are not those its config asks for."""
    return ConversionError(
        "model.weights_mismatch",
        f'The weights of layer "{layer}" are not those of its architecture.',
        expected=", ".join(expected),
        got=", ".join(got[:10]) or "none",
        hint="The architecture and the weights are of different models; save again.",
        where=layer,
    )
