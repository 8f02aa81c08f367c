"""A model in the place of a layer: what TimeDistributed applies to each step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from potluck_converter.errors import ConversionError, Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import Config, LayerKind, WeightSpec, show

if TYPE_CHECKING:
    from potluck_converter.graph import Graph

MODELS = frozenset({"Sequential", "Functional", "Model"})


def canonical(class_name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give a model's class and config in canonical form: its graph as JSON; raises Unfit."""
    from potluck_converter.graph_json import graph_from_json, graph_to_json
    from potluck_converter.readers.keras_config import read_inner

    try:
        if "graph" in config:
            graph = graph_from_json(config["graph"])
        else:
            graph = read_inner({"class_name": class_name, "config": config})
    except ConversionError as error:
        raise Unfit(
            error.expected or "a model of layers that Potluck knows",
            got=error.got,
            hint=error.hint,
            reason=error.message.rstrip("."),
            field="layer",
        ) from error
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise Unfit("a model of one input and one output", field="layer")
    return _class_of(graph), {"graph": graph_to_json(graph)}


def _class_of(graph: Graph) -> str:
    return "Sequential" if graph.kind == "sequential" else "Functional"


@lru_cache(maxsize=32)
def _opened(text: str) -> Graph:
    from potluck_converter.graph_json import graph_from_json

    return graph_from_json(json.loads(text))


def graph_of(config: Config) -> Graph:
    """Give a canonical config's graph."""
    return _opened(json.dumps(config["graph"], sort_keys=True))


def holds(config: Config, class_name: str) -> bool:
    """Say whether a layer of a class is in the model."""
    return any(layer.class_name == class_name for layer in graph_of(config).layers)


class InnerModel(LayerKind):
    """A model of one input and one output, made of layers alone."""

    class_name = "Functional"
    stock = False
    uses_training = True

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        from potluck_converter.shapes import steps

        graph = graph_of(config)
        expected = tuple(graph.layer(graph.inputs[0].layer).config["batch_shape"][1:])
        given = inputs[0]
        fits = len(expected) == len(given) and all(
            a is None or b is None or a == b for a, b in zip(expected, given, strict=True)
        )
        if not fits:
            raise Unfit(f"steps of the shape {show(expected)}", got=show(given), field="layer")
        end = graph.outputs[0]
        return next(
            s.output for s in steps(graph) if (s.layer.name, s.call) == (end.layer, end.call)
        )

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        from potluck_converter.readers.keras_zip import keys
        from potluck_converter.shapes import weight_specs

        graph = graph_of(config)
        named = keys([layer.class_name for layer in graph.layers])
        places = {layer.name: key for layer, key in zip(graph.layers, named, strict=True)}
        return tuple(
            replace(
                spec,
                name=full,
                keras=spec.keras and f"{layer.name}/{spec.keras}",
                home="/".join(p for p in ("layers", places[layer.name], spec.home) if p),
                trainable=spec.trainable and layer.trainable,
            )
            for layer, full, spec in weight_specs(graph)
        )

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        from potluck_converter.shapes import forward_flops

        return forward_flops(graph_of(config))

    def potluck(self, config: Config, inputs: Sequence[Shape]) -> dict[str, Any]:
        from potluck_converter.writers.tfjs import tfjs_topology

        found: dict[str, Any] = tfjs_topology(graph_of(config))["config"]
        return found

    def keras(self, config: Config) -> dict[str, Any]:
        from potluck_converter.layers import TABLE
        from potluck_converter.writers.architecture import (
            architecture,
            bare_ends,
            described,
            keras3_nodes,
            with_modules,
        )

        graph = graph_of(config)
        tensors = described(graph)

        def render(layer: Any) -> tuple[str, dict[str, Any]]:
            return layer.class_name, with_modules(TABLE[layer.class_name].keras(layer.config))

        found = architecture(
            graph, render, "Functional", lambda layer: keras3_nodes(layer, tensors)
        )["config"]
        bare_ends(found)
        for entry in found["layers"]:
            entry |= {"module": "keras.layers", "registered_name": None}
        return dict(found)


INNER_MODEL = InnerModel()
