"""What the pipeline has to know of a model, taken from its canonical graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from potluck_converter import (
    Graph,
    Layer,
    Model,
    compiled,
    infer_shapes,
    stateful_layers,
    trainable_weights,
    weight_shapes,
)
from potluck_coordinator.pipeline import LayerFacts, ModelFacts

FITTED = ("Normalization",)
MOST_SAID = 3
_SCALING = ("Rescaling", "Normalization")
_BEFORE_SCALING = (
    *("InputLayer", "Reshape", "Permute", "Cropping2D", "Concatenate", "Resizing", "CenterCrop"),
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomCrop"),
    *("ZeroPadding2D", "Masking"),
)
_PASSING = ("Dropout", "Flatten", "Reshape", "Identity", "Permute", "ActivityRegularization")


def facts_of(model: Model) -> ModelFacts:
    """Take the facts from a model."""
    graph = model.graph
    shapes = infer_shapes(graph)
    weighted = {name.partition("/")[0] for name in weight_shapes(graph)}
    trained = {name.partition("/")[0] for name in trainable_weights(graph)}
    first = next((layer for layer in graph.layers if layer.class_name != "InputLayer"), None)
    vocabulary = None
    if first is not None and first.class_name == "Embedding":
        vocabulary = int(first.config["input_dim"])
    return ModelFacts(
        input_shapes={ref.layer: tuple(shapes[ref.layer]) for ref in graph.inputs},
        output_shapes={ref.layer: tuple(shapes[ref.layer]) for ref in graph.outputs},
        final_activation=_final_activation(graph),
        layers=tuple(
            LayerFacts(
                name=layer.name,
                class_name=layer.class_name,
                weighted=layer.name in weighted,
                trainable=layer.name in trained,
                fitted=layer.class_name in FITTED,
            )
            for layer in graph.layers
        ),
        vocabulary=vocabulary,
        compiled=compiled(model.training_config),
        warnings=_few(stateful_layers(model.warnings)),
        scaled_by=_scaled_by(model),
    )


def _few(said: list[str]) -> tuple[str, ...]:
    more = len(said) - MOST_SAID
    return (*said[:MOST_SAID], *([f"So were {more} more layers."] if more > 0 else []))


def _scaled_by(model: Model) -> str:
    """Name the layer that scales what comes in, where that is done first of all."""
    for layer in model.graph.layers:
        if layer.class_name in _SCALING and _changes_numbers(model, layer):
            return layer.name
        if layer.class_name not in (*_BEFORE_SCALING, *_SCALING):
            return ""
    return ""


def _changes_numbers(model: Model, layer: Layer) -> bool:
    """Say whether a layer scales: a Normalization that was never fitted does not."""
    if layer.class_name == "Rescaling":
        scale, offset = np.asarray(layer.config["scale"]), np.asarray(layer.config["offset"])
        return bool(np.any(scale != 1) or np.any(offset != 0))
    weights = [model.weights.get(f"{layer.name}/{name}") for name in ("mean", "variance")]
    if weights[0] is None or weights[1] is None:
        return layer.config["mean"] is not None
    return bool(np.any(weights[0] != 0) or np.any(weights[1] != 1))


def _final_activation(graph: Graph) -> str:
    name = graph.outputs[0].layer
    while True:
        layer = graph.layer(name)
        if layer.class_name == "Softmax":
            return "softmax"
        activation = layer.config.get("activation")
        if activation is not None:
            return str(activation)
        passes_through = layer.class_name in _PASSING
        if not (passes_through and layer.calls[0].inputs):
            return "linear"
        name = layer.calls[0].inputs[0].layer


def facts_to_json(facts: ModelFacts) -> dict[str, Any]:
    """Write facts as JSON."""
    return {
        "input_shapes": {k: list(v) for k, v in facts.input_shapes.items()},
        "output_shapes": {k: list(v) for k, v in facts.output_shapes.items()},
        "final_activation": facts.final_activation,
        "layers": [vars(layer) for layer in facts.layers],
        "vocabulary": facts.vocabulary,
        "compiled": facts.compiled,
        "warnings": list(facts.warnings),
        "scaled_by": facts.scaled_by,
    }


def facts_from_json(data: Mapping[str, Any]) -> ModelFacts:
    """Read facts from JSON, also of models kept before the last three fields were."""
    return ModelFacts(
        input_shapes={k: tuple(v) for k, v in data["input_shapes"].items()},
        output_shapes={k: tuple(v) for k, v in data["output_shapes"].items()},
        final_activation=data["final_activation"],
        layers=tuple(LayerFacts(**layer) for layer in data["layers"]),
        vocabulary=data["vocabulary"],
        compiled=data.get("compiled"),
        warnings=tuple(data.get("warnings", ())),
        scaled_by=data.get("scaled_by", ""),
    )
