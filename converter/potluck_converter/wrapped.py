"""Fields that are set by an outer layer's name: of Bidirectional, TimeDistributed, and RNN."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from potluck_converter.graph import Layer
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import Config, Field, LayerKind, checked
from potluck_converter.layers.recurrent import CELLS

RECURRENT = frozenset({"SimpleRNN", "LSTM", "GRU", "ConvLSTM2D", "RNN"})
_HELD = {"Bidirectional": ("layer", "backward_layer"), "TimeDistributed": ("layer",)}


def fields_inside(layer: Layer) -> dict[str, Field]:
    """Give the fields inside a layer that a study may change, by their names."""
    return {
        entry.name: entry
        for kind, _ in _inside(layer.class_name, layer.config)
        for entry in kind.fields
        if entry.searchable
    }


def changed_inside(layer: Layer, field: str, value: Any) -> Layer:
    """Set a field of whatever inside the layer has it: both directions, each stacked cell.

    Raises Unfit naming the field.
    """
    config = deepcopy(dict(layer.config))
    for kind, inner in _inside(layer.class_name, config):
        for entry in kind.fields:
            if entry.name == field and entry.searchable:
                inner[field] = checked(entry, value)
    return replace(layer, config=config)


def searchable(layer: Layer) -> dict[str, str | int | float | bool]:
    """List what may be overridden in a layer or inside it, where its value is one scalar."""
    found: dict[str, str | int | float | bool] = {}
    unlike: set[str] = set()
    for kind, inner in _inside(layer.class_name, layer.config):
        for name, value in kind.searchable(inner).items():
            if found.setdefault(name, value) != value:
                unlike.add(name)
    alike = {name: value for name, value in found.items() if name not in unlike}
    return alike | TABLE[layer.class_name].searchable(layer.config)


def classes_inside(layer: Layer) -> list[str]:
    """Name the classes of the layers and cells inside."""
    return [kind.class_name for kind, _ in _inside(layer.class_name, layer.config)]


def configs_inside(layer: Layer) -> list[tuple[str, Config]]:
    """Give the classes and the fields of the layers and cells inside."""
    return [(kind.class_name, config) for kind, config in _inside(layer.class_name, layer.config)]


def _inside(class_name: str, config: Config) -> Iterator[tuple[LayerKind, dict[str, Any]]]:
    """Walk over the layers and cells inside; a model inside TimeDistributed stays as it is."""
    if class_name == "RNN":
        cell = config["cell"]
        cells = cell["config"]["cells"] if cell["class_name"] == "StackedRNNCells" else [cell]
        yield from ((CELLS[one["class_name"]], one["config"]) for one in cells)
    for key in _HELD.get(class_name, ()):
        held = config[key]
        if held is not None and held["class_name"] in TABLE:
            yield TABLE[held["class_name"]], held["config"]
            yield from _inside(held["class_name"], held["config"])
