"""The target column: its labels, its classes, its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline.dataset import Array, Categorical, Dataset, Numeric
from potluck_coordinator.pipeline.one_hot import OneHot, one_hot


def label_of(value: float) -> str:
    """Write a number as a label: `3` for 3.0."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def classes_of(column: Numeric | Categorical) -> tuple[str, ...]:
    """Give the labels in order: numbers by size, words by letters; of one-hot rows all columns."""
    if isinstance(column, OneHot):
        return tuple(str(number) for number in range(column.width))
    if isinstance(column, Categorical):
        used = np.unique(column.codes[column.codes >= 0])
        return tuple(column.vocabulary[code] for code in used.tolist())
    present = column.values[np.isfinite(column.values)] + 0.0
    return tuple(label_of(value) for value in np.unique(present).tolist())


def target_column(dataset: Dataset, name: str) -> Numeric | Categorical:
    """Give the target, one-hot rows as class numbers.

    Raises BadDataset `dataset.target_missing`, `dataset.target_shape`.
    """
    column = dataset.columns.get(name)
    if column is None:
        raise BadDataset(
            "dataset.target_missing",
            f"The dataset has no column {name!r}.",
            expected="one of: " + ", ".join(list(dataset.columns)[:20]),
            got=name,
            where="pipeline.target",
        )
    if isinstance(column, Array):
        found = one_hot(column)
        if found is not None:
            return found
        raise BadDataset(
            "dataset.target_shape",
            f"The array {name!r} has several numbers a row and cannot be the target.",
            expected="one label or number a row, or one-hot rows",
            got=f"shape {list(column.values.shape)}",
            hint="Save one column of it, or class numbers.",
            where="pipeline.target",
        )
    return column


def target_numbers(
    dataset: Dataset, name: str, classes: Sequence[str] | None
) -> NDArray[np.float64]:
    """Give class numbers where there are classes, else the values; [rows] float64."""
    column = target_column(dataset, name)
    if classes is None:
        if isinstance(column, Categorical):
            raise BadDataset(
                "dataset.target_not_numeric",
                f"The target {name!r} holds words; regression needs numbers.",
                expected="a numeric column",
                got=", ".join(column.vocabulary[:3]),
                where="pipeline.target",
            )
        return column.values
    number = {label: index for index, label in enumerate(classes)}
    labels: NDArray[Any]
    if isinstance(column, Categorical):
        of_code = np.array([number.get(word, -1) for word in column.vocabulary], dtype=np.float64)
        return of_code[column.codes]
    values, inverse = np.unique(column.values + 0.0, return_inverse=True)
    labels = np.array([number.get(label_of(v), -1) for v in values.tolist()], dtype=np.float64)
    return labels[inverse]
