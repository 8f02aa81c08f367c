"""From rows to tensors. Everything fitted is fitted on the training rows, and is plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck.protocol.study import Scaling
from potluck_coordinator.pipeline.dataset import Array, Categorical, Column, Dataset, Rows
from potluck_coordinator.pipeline.plan import Plan
from potluck_coordinator.pipeline.target import target_numbers
from potluck_coordinator.pipeline.weights import fit_weights, weigh

FLOAT32_MOST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Encoded:
    """Tensors of one fit.

    `train`: `x` float32 (int32 for tokens) [rows, *input_shape], `y` as docs/protocol.md says,
    `w` float32 [rows] where rows are weighted. `held`: `x` and `y` of the rows to score on, and
    `truth` (int32 class numbers, or float64 in original units); it never leaves the coordinator.
    `encoder`: what was fitted, plain JSON.
    """

    train: dict[str, NDArray[Any]]
    held: dict[str, NDArray[Any]]
    encoder: dict[str, Any]


def encode(dataset: Dataset, plan: Plan, train_rows: Rows, held_rows: Rows) -> Encoded:
    """Fit on `train_rows`, then encode both; `held_rows` change nothing but their own tensors.

    Category vocabularies are of all rows, which the encoder records.
    """
    encoder = fit(dataset, plan, train_rows)
    truth = target_numbers(dataset, plan.target, plan.classes)[held_rows]
    held = transform(dataset, encoder, held_rows)
    held["truth"] = truth.astype(np.int32) if plan.classes is not None else truth
    train = {**transform(dataset, encoder, train_rows), **weigh(dataset, encoder, train_rows)}
    return Encoded(train, held, encoder)


def fit(dataset: Dataset, plan: Plan, rows: Rows) -> dict[str, Any]:
    """Fit every column on these rows and give the encoder's state."""
    features = [
        _fit(dataset.columns[name], plan.scaling, plan.tokens, rows) for name in plan.features
    ]
    target: dict[str, Any] = {"name": plan.target, "outputs": plan.outputs}
    if plan.classes is not None:
        target |= {"kind": "classes", "classes": list(plan.classes)}
        target |= {"from_logits": plan.from_logits, "margins": plan.margins}
        target |= {"signs": plan.loss in ("hinge", "squared_hinge")}
    else:
        values = target_numbers(dataset, plan.target, None)[rows]
        scaling = "none" if plan.own_units else plan.target_scaling or plan.scaling
        offset, scale = _scale(values[:, np.newaxis], scaling)
        target |= {"kind": "number", "offset": offset[0], "scale": scale[0]}
    weights = fit_weights(
        dataset, plan.target, plan.classes, plan.class_weight, plan.sample_weight, rows
    )
    return {
        "version": 1,
        "input_shape": list(plan.input_shape),
        "features": features,
        "target": target,
        "weights": weights,
        "spellings": {name: one.to_json() for name, one in plan.spellings.items()},
        "fitted_rows": len(rows),
        "vocabularies_of": "all rows",
    }


def transform(dataset: Dataset, encoder: Mapping[str, Any], rows: Rows) -> dict[str, NDArray[Any]]:
    """Encode rows with a fitted encoder: `x` and `y`."""
    parts = [
        _transform(dataset.columns[state["name"]], state, rows) for state in encoder["features"]
    ]
    x = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    return {
        "x": np.ascontiguousarray(x.reshape(len(rows), *encoder["input_shape"])),
        "y": _transform_target(dataset, encoder["target"], rows),
    }


def _fit(column: Column, scaling: Scaling, tokens: bool, rows: Rows) -> dict[str, Any]:
    if tokens:
        return {"name": column.name, "kind": "tokens"}
    if isinstance(column, Categorical):
        return {"name": column.name, "kind": "one_hot", "categories": list(column.vocabulary)}
    values = column.values[rows].astype(np.float64)
    # Pictures and series keep one scale for all their points; a flat row has a scale a column.
    whole = isinstance(column, Array) and column.values.ndim > 2
    offset, scale = _scale(
        values.reshape(-1, 1) if whole else values.reshape(len(rows), -1), scaling
    )
    return {"name": column.name, "kind": "number", "offset": offset, "scale": scale}


def _scale(values: NDArray[np.float64], scaling: Scaling) -> tuple[list[float], list[float]]:
    """Fit offset and scale of each column; a constant column has scale 1."""
    if scaling == "none":
        return [0.0] * values.shape[1], [1.0] * values.shape[1]
    if scaling == "minmax":
        offset = values.min(axis=0)
        scale = values.max(axis=0) - offset
    else:
        offset, scale = values.mean(axis=0), values.std(axis=0)
    # What rounding alone makes of equal numbers is no spread.
    flat = scale <= 1e-12 * np.abs(values).max(axis=0)
    return offset.tolist(), np.where(flat, 1.0, scale).tolist()


def _transform(column: Column, state: Mapping[str, Any], rows: Rows) -> NDArray[Any]:
    if isinstance(column, Categorical):
        place = {word: index for index, word in enumerate(state["categories"])}
        of_code = np.array([place[word] for word in column.vocabulary], dtype=np.int64)
        one_hot = np.zeros((len(rows), len(place)), dtype=np.float32)
        one_hot[np.arange(len(rows)), of_code[column.codes[rows]]] = 1.0
        return one_hot
    values = column.values[rows].reshape(len(rows), -1)
    if state["kind"] == "tokens":
        return values.astype(np.int32)
    return _single((values.astype(np.float64) - state["offset"]) / state["scale"])


def _transform_target(
    dataset: Dataset, state: Mapping[str, Any], rows: Rows
) -> NDArray[np.int32] | NDArray[np.float32]:
    if state["kind"] == "classes":
        numbers = target_numbers(dataset, state["name"], state["classes"])[rows]
        if state.get("signs"):  # Keras makes them of 0 and 1, batch by batch
            return (2 * numbers - 1).astype(np.float32)[:, np.newaxis]
        if state["outputs"] == 1:
            return numbers.astype(np.float32)[:, np.newaxis]
        return numbers.astype(np.int32)
    values = target_numbers(dataset, state["name"], None)[rows]
    return _single((values - state["offset"]) / state["scale"])[:, np.newaxis]


def _single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round to float32; what lies outside its range comes to its ends, not to infinity."""
    within: NDArray[np.float64] = np.clip(values, -FLOAT32_MOST, FLOAT32_MOST)
    return within.astype(np.float32)
