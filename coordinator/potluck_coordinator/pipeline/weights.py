"""How much each training row counts: by its class, or by a column of the dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from potluck.protocol.study import StudySpec
from potluck_coordinator.core.errors import BadDataset, BadStudy
from potluck_coordinator.pipeline.dataset import Dataset, Numeric, Rows
from potluck_coordinator.pipeline.spelling import number_of
from potluck_coordinator.pipeline.target import target_numbers

MOST = 1e6
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")
"""What YAML writes for true and false."""
ClassWeight = Literal["balanced"] | Mapping[str, float]


def without_weights(dataset: Dataset, column: str | None, target: str | None) -> Dataset:
    """Give the dataset that target and features are taken from: weights are neither.

    Raises BadStudy `pipeline.weights`, BadDataset `dataset.sample_weight`.
    """
    if column is None:
        return dataset
    where = "pipeline.sample_weight"
    if column == target:
        raise _refusal("The target cannot weigh rows.", "another column", column, where)
    if column not in dataset.columns:
        listed = "one of: " + ", ".join(list(dataset.columns)[:20])
        raise _refusal("The dataset has no such column of weights.", listed, column, where)
    _check_column(dataset, column)
    kept = {name: values for name, values in dataset.columns.items() if name != column}
    return replace(dataset, columns=kept)


def _check_column(dataset: Dataset, name: str) -> None:
    found = dataset.columns[name]
    got = ""
    if not isinstance(found, Numeric):
        got = f"a column of type {found.dtype}"
    elif found.missing.any():
        got = f"no number in row {int(found.missing.argmax()) + 1}"
    elif (found.values < 0).any():
        got = f"{found.values.min():g} in row {int(found.values.argmin()) + 1}"
    elif found.values.max() > MOST:
        got = f"{found.values.max():g} in row {int(found.values.argmax()) + 1}"
    elif not found.values.any():
        got = "0 in every row"
    if got:
        raise BadDataset(
            "dataset.sample_weight",
            f"The column {name!r} cannot weigh rows.",
            expected=f"a number from 0 to {MOST:g} in every row, and not 0 in all",
            got=got,
            hint="A row of weight 0 is trained on, but teaches nothing.",
            where=name,
        )


def settle_weights(spec: StudySpec, classes: Sequence[str] | None) -> ClassWeight | None:
    """Give class weights by the classes' own names. Raises BadStudy `pipeline.weights`."""
    by_class = spec.class_weight
    if by_class is None:
        return None
    if spec.pipeline.sample_weight is not None:
        raise _refusal(
            "Rows are weighted by class or by a column.", "one of the two", "both", "class_weight"
        )
    if classes is None:
        raise _refusal(
            "Regression has no classes to weigh.", "none", "class_weight", "class_weight"
        )
    if by_class == "balanced":
        return by_class
    named = {label: class_called(label, classes) for label in by_class}
    unknown = [label for label, name in named.items() if name is None]
    if unknown:
        raise _refusal(
            "The target has no such class.",
            "some of: " + ", ".join(classes[:20]),
            ", ".join(unknown[:8]),
            "class_weight",
        )
    labels = {name: label for label, name in named.items() if name is not None}
    if len(labels) < len(by_class):
        twice = [label for label, name in named.items() if name and labels[name] != label]
        both = ", ".join(f"{label} and {labels[named[label] or '']}" for label in twice[:8])
        raise _refusal("A class has two weights.", "one for each class", both, "class_weight")
    weights = {name: by_class[label] for name, label in labels.items()}
    if not any(weights.get(name, 1.0) for name in classes):
        raise _refusal("No class counts.", "a weight above 0", "0 for every class", "class_weight")
    return weights


def class_called(label: str, classes: Sequence[str]) -> str | None:
    """Give the class that a label means: the one of that name, else the only one of that value.

    Labels come as the submitter's language writes them: 0.0 for the class 0, True for 1 or yes.
    """
    if label in classes:
        return label
    fitting = [name for name in classes if _same_value(label, name)]
    return fitting[0] if len(fitting) == 1 else None


def _same_value(label: str, name: str) -> bool:
    word, other = label.lower(), name.lower()
    if word in ("true", "false"):
        return other in (TRUE if word == "true" else FALSE) or number_of(other) == (word == "true")
    number = number_of(word)
    if other in ("true", "false"):
        return number == (other == "true")
    return number is not None and number == number_of(other)


def _refusal(message: str, expected: str, got: str, where: str) -> BadStudy:
    return BadStudy("pipeline.weights", message, expected=expected, got=got, where=where)


def fit_weights(
    dataset: Dataset,
    target: str,
    classes: Sequence[str] | None,
    by_class: ClassWeight | None,
    column: str | None,
    rows: Rows,
) -> dict[str, Any] | None:
    """Fit weights on training rows, plain JSON; None where every row counts alike."""
    if column is not None:
        return {"kind": "column", "name": column}
    if by_class is None or classes is None:
        return None
    if by_class != "balanced":
        return {"kind": "classes", "weights": [by_class.get(name, 1.0) for name in classes]}
    numbers = target_numbers(dataset, target, classes)[rows].astype(np.int64)
    counts = np.bincount(numbers, minlength=len(classes))
    present = int((counts > 0).sum())
    balanced = np.where(counts > 0, len(rows) / (present * np.maximum(counts, 1)), 1.0)
    return {"kind": "classes", "weights": balanced.tolist()}


def weigh(
    dataset: Dataset, encoder: Mapping[str, Any], rows: Rows
) -> dict[str, NDArray[np.float32]]:
    """Give `w` float32 [rows] by a fitted encoder, or nothing."""
    state = encoder.get("weights")
    if state is None:
        return {}
    if state["kind"] == "column":
        column = dataset.columns[state["name"]]
        assert isinstance(column, Numeric)
        return {"w": column.values[rows].astype(np.float32)}
    target = encoder["target"]
    numbers = target_numbers(dataset, target["name"], target["classes"])[rows].astype(np.int64)
    return {"w": np.asarray(state["weights"], dtype=np.float32)[numbers]}
