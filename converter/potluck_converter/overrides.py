"""Changes to a model that a study asks for, one field at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal, overload

from potluck_converter.assemble import check_graph, settle
from potluck_converter.errors import ConversionError, Unfit
from potluck_converter.fresh_weights import initial_weights
from potluck_converter.graph import Graph, Layer, Model, Weights
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import Field, checked
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.shapes import unfit, weight_shapes, where
from potluck_converter.wrapped import changed_inside, fields_inside

IMPOSSIBLE = "model.override_impossible"
_FITTED = "Normalization"


@overload
def with_overrides(
    model: Graph, overrides: Mapping[str, Any], limits: Limits = DEFAULT_LIMITS
) -> Graph: ...


@overload
def with_overrides(
    model: Model,
    overrides: Mapping[str, Any],
    limits: Limits = DEFAULT_LIMITS,
    *,
    weights: Literal["kept", "fresh"] = "kept",
    seed: int = 0,
) -> Model: ...


def with_overrides(
    model: Graph | Model,
    overrides: Mapping[str, Any],
    limits: Limits = DEFAULT_LIMITS,
    *,
    weights: Literal["kept", "fresh"] = "kept",
    seed: int = 0,
) -> Graph | Model:
    """Apply `{"layers.<name>.<field>": value}` and infer all shapes again.

    Give what was given: a graph, or a model with weights. `kept` keeps the weights of each layer
    whose shapes stay as they were and draws the others from the seed; `fresh` draws all, but for
    frozen and fitted layers of unchanged shapes. Fields of the layer inside a Bidirectional or
    TimeDistributed, and of an RNN's cells, are set by the outer layer's name.

    Raises ConversionError: `model.override_unknown_layer`, `model.override_unknown_field`, or
    `model.override_impossible` naming the layer where shapes first disagree.
    """
    if isinstance(model, Graph):
        return _changed(model, overrides, limits)
    graph = _changed(model.graph, overrides, limits)
    if weights not in ("kept", "fresh"):
        raise ConversionError(
            "model.unsupported_option",
            "Weights are kept or made afresh.",
            expected="kept or fresh",
            got=repr(weights),
            hint='Say weights="kept" or weights="fresh".',
            where="weights",
        )
    found, whole = _weights(model, graph, weights == "fresh", seed, limits)
    # The optimizer's memory belongs to the weights that it moved.
    state = model.optimizer_state if whole else None
    return replace(model, graph=graph, weights=found, optimizer_state=state)


def _changed(graph: Graph, overrides: Mapping[str, Any], limits: Limits) -> Graph:
    layers = {layer.name: layer for layer in graph.layers}
    for path, value in overrides.items():
        name, field = _split(path, graph)
        layer = layers[name]
        own = {entry.name: entry for entry in TABLE[layer.class_name].fields if entry.searchable}
        inside = fields_inside(layer)
        try:
            if field in own:
                layers[name] = replace(
                    layer, config={**layer.config, field: checked(own[field], value)}
                )
            elif field in inside:
                layers[name] = changed_inside(layer, field, value)
            else:
                raise _unknown_field(layer, field, path, own | inside)
        except Unfit as error:
            raise unfit(layer, error, IMPOSSIBLE) from error
    changed = replace(graph, layers=tuple(layers[layer.name] for layer in graph.layers))
    check_graph(changed, limits, IMPOSSIBLE)
    return settle(changed)


def _weights(
    model: Model, graph: Graph, fresh: bool, seed: int, limits: Limits
) -> tuple[Weights, bool]:
    """Give the new graph's weights, and whether all of them are the old ones."""
    before, after = _by_layer(model.graph), _by_layer(graph)
    keeps = {
        layer.name
        for layer in graph.layers
        if before[layer.name] == after[layer.name]
        and (not fresh or not layer.trainable or layer.class_name == _FITTED)
    }
    if all(layer.name in keeps for layer in graph.layers if after[layer.name]):
        return model.weights, True
    drawn = initial_weights(graph, seed, limits)
    kept = {name: model.weights[name] for name in drawn if name.partition("/")[0] in keeps}
    return drawn | kept, False


def _by_layer(graph: Graph) -> dict[str, dict[str, tuple[int, ...]]]:
    found: dict[str, dict[str, tuple[int, ...]]] = {layer.name: {} for layer in graph.layers}
    for name, shape in weight_shapes(graph).items():
        found[name.partition("/")[0]][name] = shape
    return found


def _split(path: object, graph: Graph) -> tuple[str, str]:
    names = [layer.name for layer in graph.layers]
    rest = path.removeprefix("layers.") if isinstance(path, str) else ""
    if isinstance(path, str) and path.startswith("layers."):
        name, _, field = rest.rpartition(".")
        if name in names:
            return name, field
    raise ConversionError(
        "model.override_unknown_layer",
        f"The override {path} names no layer of the model.",
        expected="layers.<layer>.<field> with one of the layers " + ", ".join(names[:40]),
        got=str(path),
        hint=_closest(rest.rpartition(".")[0], names),
        where=str(path),
    )


def _unknown_field(
    layer: Layer, field: str, path: str, entries: Mapping[str, Field]
) -> ConversionError:
    return ConversionError(
        "model.override_unknown_field",
        f"{where(layer)} has no field {field} that a study may change.",
        expected="one of " + ", ".join(entries) if entries else "another layer",
        got=field,
        hint=_closest(field, list(entries)),
        where=path,
    )


def _closest(word: str, words: list[str]) -> str:
    near = get_close_matches(word, words, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    return "Use one of those listed." if words else "Nothing in this layer can be overridden."
