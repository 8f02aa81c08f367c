"""Keras 2 and Keras 3 `.h5`, with h5py and json alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Graph, Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.readers import bounded_json, hdf5
from potluck_converter.readers.blocks import Origin
from potluck_converter.readers.keras_config import read_architecture
from potluck_converter.readers.layer_scale import as_stored
from potluck_converter.readers.stored import Wanted, leaves, match, mismatch, not_finite, wanted

# State that Keras keeps beside weights and that a model does not need.
_NOT_WEIGHTS = frozenset({"seed_generator_state"})


def read_keras_h5(content: bytes | BinaryIO, name: str, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model saved with `model.save("*.h5")`; raises ConversionError."""
    with hdf5.open_file(content, name, limits) as file:
        architecture = hdf5.text(file, "model_config")
        if architecture is None:
            raise _no_architecture(file, name)
        config = bounded_json.parse(architecture, "model_config", limits)
        version = (hdf5.text(file, "keras_version") or "2")[:20]
        keras3 = version.startswith("3")
        found = read_architecture(config, limits, keras3=keras3)
        training = hdf5.text(file, "training_config")
        state, warnings = None, list(found.warnings)
        if "optimizer_weights" in file:
            from potluck_converter.optimizer_state import read_h5_state

            flat = all(not child.children for child in found.origin.children)
            state = read_h5_state(file, found.graph, limits) if keras3 and flat else None
            if state is None:
                warnings.append(STATE_LEFT_OUT)
        stored = hdf5.group(file, "model_weights")
        weights = legacy_weights(stored, found.graph, found.origin, limits)
        return Model(
            found.graph,
            weights,
            f"Keras {'3' if keras3 else '2'} .h5",
            bounded_json.parse(training, "training_config", limits) if training else None,
            (*warnings, *not_finite(weights)),
            state,
        )


STATE_LEFT_OUT = (
    "The optimizer's state is left out: it is carried from Keras 3 to Keras 3 alone, and where no "
    "model lies inside another."
)


def is_weights_only(file: h5py.File) -> bool:
    """Say whether this is what `save_weights` writes."""
    listed = "layer_names" in file.attrs or "layer_names0" in file.attrs
    return listed or ("layers" in file and "model_config" not in file.attrs)


def _no_architecture(file: h5py.File, name: str) -> ConversionError:
    if is_weights_only(file):
        return ConversionError(
            "model.weights_only",
            "The file holds weights without an architecture.",
            expected="a whole model",
            got="a file saved with save_weights",
            hint="Upload the architecture too (model.to_json() in a .json file), or save with "
            'model.save("model.h5") instead.',
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


def legacy_weights(
    stored: h5py.Group, graph: Graph, origin: Origin, limits: Limits
) -> Mapping[str, NDArray[np.float32]]:
    """Read the weights that the graph has from a group for each outermost layer."""
    specs = wanted(graph)
    shapes = {full: spec.shape for found in specs.values() for _, full, spec in found}
    listed = set(hdf5.texts(stored, "layer_names", limits))
    weights: dict[str, NDArray[np.float32]] = {}
    for child in origin.children:
        needed = [
            Wanted(
                full,
                as_stored(spec, leaf.class_name),
                layer.trainable and spec.trainable,
                leaf.name,
            )
            for leaf in leaves(child)
            for layer, full, spec in specs.get(leaf.layer, ())
        ]
        if not needed:
            continue
        if child.name not in listed:
            raise mismatch(child.name, [one.full for one in needed], [])
        home = hdf5.group(stored, child.name)
        paths = [
            path
            for path in hdf5.texts(home, "weight_names", limits)
            if path.rpartition("/")[2].partition(":")[0] not in _NOT_WEIGHTS
        ]
        places = match(child.name, paths, needed)
        for one in needed:
            path = places[one.full]
            found = hdf5.floats(home, path, one.spec, one.full)
            weights[one.full] = found.reshape(shapes[one.full])
    return {full: weights[full] for full in _order(graph)}


def _order(graph: Graph) -> list[str]:
    return [full for found in wanted(graph).values() for _, full, _ in found]
