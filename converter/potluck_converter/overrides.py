"""Changes to a graph that a study asks for, one field at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from potluck_converter.assemble import check_graph, settle
from potluck_converter.errors import ConversionError, Unfit
from potluck_converter.graph import Graph
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import checked
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.shapes import unfit, where

IMPOSSIBLE = "model.override_impossible"


def with_overrides(
    graph: Graph, overrides: Mapping[str, Any], limits: Limits = DEFAULT_LIMITS
) -> Graph:
    """Give the graph with `{"layers.<name>.<field>": value}` applied and shapes inferred again.

    Raises ConversionError: `model.override_unknown_layer`, `model.override_unknown_field`, or
    `model.override_impossible` naming the layer where shapes first disagree.
    """
    layers = {layer.name: layer for layer in graph.layers}
    for path, value in overrides.items():
        name, field = _split(path, graph)
        layer = layers[name]
        kind = TABLE[layer.class_name]
        entries = {entry.name: entry for entry in kind.fields if entry.searchable}
        if field not in entries:
            raise ConversionError(
                "model.override_unknown_field",
                f"{where(layer)} has no field {field} that a study may change.",
                expected="one of " + ", ".join(entries) if entries else "another layer",
                got=field,
                hint=_closest(field, list(entries)),
                where=path,
            )
        try:
            changed = checked(entries[field], value)
        except Unfit as error:
            raise unfit(layer, error, IMPOSSIBLE) from error
        layers[name] = replace(layer, config={**layer.config, field: changed})
    changed_graph = replace(graph, layers=tuple(layers[layer.name] for layer in graph.layers))
    check_graph(changed_graph, limits, IMPOSSIBLE)
    return settle(changed_graph)


def _split(path: str, graph: Graph) -> tuple[str, str]:
    head, _, field = path.rpartition(".")
    name = head.removeprefix("layers.")
    names = [layer.name for layer in graph.layers]
    if not head.startswith("layers.") or name not in names:
        raise ConversionError(
            "model.override_unknown_layer",
            f"The override {path} names no layer of the model.",
            expected="layers.<layer>.<field> with one of the layers " + ", ".join(names[:40]),
            got=path,
            hint=_closest(name, names),
            where=path,
        )
    return name, field


def _closest(word: str, words: list[str]) -> str:
    near = get_close_matches(word, words, n=1)
    return f"Did you mean {near[0]}?" if near else "Use one of those listed."
