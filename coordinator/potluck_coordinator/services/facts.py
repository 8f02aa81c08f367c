"""What the pipeline has to know of a model, taken from its canonical graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from potluck_converter import (
    Model,
    compiled,
    infer_shapes,
    stateful_layers,
    trainable_weights,
    weight_shapes,
)
from potluck_coordinator.pipeline import LayerFacts, ModelFacts
from potluck_coordinator.services.input_scaling import scaled_by
from potluck_coordinator.services.model_ending import Reach, ending_of

FITTED = ("Normalization",)
MOST_SAID = 3


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
    ending = ending_of(graph)
    return ModelFacts(
        input_shapes={ref.layer: tuple(shapes[ref.layer]) for ref in graph.inputs},
        output_shapes={ref.layer: tuple(shapes[ref.layer]) for ref in graph.outputs},
        final_activation=ending.activation,
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
        scaled_by=scaled_by(model),
        reach=_finite(ending.reach),
    )


def _few(said: list[str]) -> tuple[str, ...]:
    more = len(said) - MOST_SAID
    return (*said[:MOST_SAID], *([f"So were {more} more layers."] if more > 0 else []))


def _finite(reach: Reach) -> tuple[float | None, float | None]:
    low, high = (end if math.isfinite(end) else None for end in reach)
    return low, high


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
        "reach": list(facts.reach),
    }


def facts_from_json(data: Mapping[str, Any]) -> ModelFacts:
    """Read facts from JSON, also of models kept before the last four fields were."""
    return ModelFacts(
        input_shapes={k: tuple(v) for k, v in data["input_shapes"].items()},
        output_shapes={k: tuple(v) for k, v in data["output_shapes"].items()},
        final_activation=data["final_activation"],
        layers=tuple(LayerFacts(**layer) for layer in data["layers"]),
        vocabulary=data["vocabulary"],
        compiled=data.get("compiled"),
        warnings=tuple(data.get("warnings", ())),
        scaled_by=data.get("scaled_by", ""),
        reach=_two(data.get("reach", (None, None))),
    )


def _two(ends: Sequence[float | None]) -> tuple[float | None, float | None]:
    low, high = ends
    return low, high
