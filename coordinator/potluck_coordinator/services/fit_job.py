"""Fit a model to another width, as work for the worker processes: plain functions on plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from potluck_converter import (
    ConversionError,
    InputFit,
    from_files,
    graph_from_json,
    input_fit,
    report,
    to_files,
    weight_shapes,
    with_input_width,
)
from potluck_coordinator.core.errors import TooLarge
from potluck_coordinator.services.facts import facts_from_json, facts_of, facts_to_json
from potluck_coordinator.storage.artifacts import Kept, Shelf

BYTES_PER_WEIGHT = 4


@dataclass(frozen=True)
class FittedModel:
    """A fitted model: its files by hash, their bytes, what is told of it, and what was changed."""

    graph: str
    weights: str
    size: int
    report: Mapping[str, Any]
    facts: Mapping[str, Any]
    layers: tuple[str, ...]
    text: str


def fit_job(
    graph: Kept,
    weights: Kept,
    report_before: Mapping[str, Any],
    facts_before: Mapping[str, Any],
    width: int,
    most_bytes: int,
    shelf: Shelf,
) -> FittedModel:
    """Fit a model to rows of `width` numbers, and check it as an upload is checked.

    `graph` and `weights` are a model's artifacts, `report_before` and `facts_before` what is kept
    of it: what it was compiled with is told in them alone. `most_bytes` bounds the new weights;
    the new files go to `shelf`.

    Raises ConversionError `model.cannot_fit`, `model.too_large`; TooLarge `size.upload`.
    """
    model = replace(from_files(graph.read(), weights.read()), source=report_before["source"])
    said = report(model)["warnings"]
    own = tuple(one for one in report_before["warnings"] if one not in said)
    check_bytes(input_fit(model.graph, width), most_bytes)
    fitted, fit = with_input_width(replace(model, warnings=own), width)
    files = to_files(fitted)
    from_files(*files)
    before = facts_from_json(facts_before)
    facts = replace(facts_of(fitted), compiled=before.compiled, warnings=before.warnings)
    layers = tuple(layer.name for layer in fit.fresh)
    new_graph, new_weights = map(shelf.put, files)
    size = sum(map(len, files))
    about = report(fitted), facts_to_json(facts)
    return FittedModel(new_graph, new_weights, size, *about, layers, told(fit))


def offer_job(graph: Kept, width: int, most_bytes: int) -> tuple[tuple[str, ...], str] | None:
    """Say which layers would start anew, and in words what it does; None where it cannot be done.

    `graph` is a model's artifact, `width` the numbers of a row; `most_bytes` bounds the weights.
    """
    try:
        fit = input_fit(graph_from_json(json.loads(graph.read())), width)
        check_bytes(fit, most_bytes)
    except (ConversionError, TooLarge):
        return None
    return tuple(layer.name for layer in fit.fresh), told(fit)


def told(fit: InputFit) -> str:
    """Say what a fit does to the weights and to fitted statistics."""
    return " ".join((fit.text, *fit.warnings))


def check_bytes(fit: InputFit, most: int) -> None:
    """Refuse a model whose weights are more bytes than an upload may have: TooLarge."""
    size = BYTES_PER_WEIGHT * sum(prod(shape) for shape in weight_shapes(fit.graph).values())
    if size > most:
        raise TooLarge(
            "size.upload",
            "The model would be larger than this coordinator takes.",
            expected=f"at most {most} bytes of weights",
            got=f"{size} bytes",
            hint="Leave out the columns with the most different words.",
        )
