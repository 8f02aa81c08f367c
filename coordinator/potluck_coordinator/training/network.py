"""A network opened for training from a unit's topology, and what cannot be trained exactly here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from potluck_converter import ConversionError, Graph
from potluck_converter.limits import DEFAULT_LIMITS
from potluck_converter.readers import bounded_json
from potluck_converter.readers.keras_config import read_architecture
from potluck_converter.shapes import weight_specs
from potluck_coordinator.scoring.backend import load_keras
from potluck_coordinator.scoring.network import build_network, weight_variables
from potluck_coordinator.training.draws import draw_in_cells, drawing_layers

STRENGTHS = {
    "Dropout": "rate",
    "SpatialDropout1D": "rate",
    "SpatialDropout2D": "rate",
    "SpatialDropout3D": "rate",
    "AlphaDropout": "rate",
    "GaussianDropout": "rate",
    "GaussianNoise": "stddev",
}
ATTENTIONS = frozenset({"Attention", "AdditiveAttention", "MultiHeadAttention"})
MASKS = ("dropout", "recurrent_dropout")
SEQUENCES = frozenset({"RNN", "Bidirectional", "StackedRNNCells"})
"""What is inside draws as it would by itself: one mask for a whole sequence."""

Json = Mapping[str, Any]


class Unsupported(Exception):
    """The unit asks for something that would not be trained exactly here."""


@dataclass(frozen=True)
class Network:
    """A Keras model and its variables.

    `trained`, `fixed`: names `<layer>/<weight>` in the order of Keras's lists; a fixed variable
    without a name is none of the model's weights (a seed), or one of `kept`. `kept`: weights that
    are whole numbers in Keras (a Normalization's count). No step reads or changes them, so that
    they are handed on as they came.
    """

    model: Any
    trained: tuple[str, ...]
    fixed: tuple[str | None, ...]
    kept: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    draws_normals: bool


def read_topology(topology: bytes) -> Graph:
    """Read TF.js layers JSON. Raises Unsupported."""
    try:
        parsed = bounded_json.parse(topology, "topology", DEFAULT_LIMITS)
        return read_architecture(parsed, DEFAULT_LIMITS, keras3=False).graph
    except ConversionError as error:
        raise Unsupported(f"The topology cannot be read: {error}") from error


def open_network(topology: bytes, *, exact: bool = True) -> Network:
    """Build a network for training; its weights are zeros.

    Args:
        topology: TF.js layers JSON.
        exact: Refuse layers that would draw other random numbers here than elsewhere, or keep a
            state beyond a batch.

    Raises:
        Unsupported: It would not be trained exactly here, or not at all.
    """
    graph = read_topology(topology)
    if len(graph.inputs) > 1 or len(graph.outputs) > 1:
        raise Unsupported("A unit has rows for one input and one output; the network has more.")
    for layer in graph.layers if exact else ():
        _check(layer.name, layer.class_name, layer.config)
    model = build_network(graph, training=drawing_layers(load_keras()))
    variables = weight_variables(model, graph)
    kept = tuple(full for _, full, spec in weight_specs(graph) if spec.count)
    names = {id(variable): name for name, variable in variables.items() if name not in kept}
    draw_in_cells(model, names)
    unnamed = [v.path for v in model.trainable_variables if id(v) not in names]
    if unnamed:
        raise Unsupported(f"Keras trains weights that a checkpoint has no name for: {unnamed}")
    return Network(
        model,
        tuple(names[id(variable)] for variable in model.trainable_variables),
        tuple(names.get(id(variable)) for variable in model.non_trainable_variables),
        kept,
        {name: tuple(variable.shape) for name, variable in variables.items()},
        any(layer.class_name.startswith("Gaussian") for layer in graph.layers),
    )


def _check(name: str, class_name: str, config: Json, inside: str | None = None) -> None:
    who = f"Layer {name} ({class_name})"
    if class_name.startswith("Random"):
        raise Unsupported(f"{who}: pictures changed by chance are not drawn exactly here.")
    if config.get("stateful") is True:
        raise Unsupported(f"{who}: a state that outlives its batch is not trained exactly here.")
    if inside is not None and _draws(class_name, config):
        raise Unsupported(f"{who}: what it draws inside {inside} is not drawn exactly here.")
    within = inside if class_name in SEQUENCES else f"{name} ({class_name})"
    for inner_class, inner in _inner(config):
        _check(str(inner.get("name", name)), inner_class, inner, within)


def _draws(class_name: str, config: Json) -> bool:
    asked = (STRENGTHS[class_name],) if class_name in STRENGTHS else MASKS
    return any(float(config.get(key) or 0.0) > 0.0 for key in asked)


def _inner(config: Json) -> Iterator[tuple[str, Json]]:
    for key in ("layer", "backward_layer", "cell", "cells", "layers"):
        inner = config.get(key)
        for one in inner if isinstance(inner, list | tuple) else [inner]:
            if isinstance(one, Mapping) and isinstance(one.get("config"), Mapping):
                yield str(one.get("class_name")), one["config"]
