"""What a dataset looks like, for pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from potluck.protocol.records import Column as ColumnProfile
from potluck.protocol.records import DatasetProfile
from potluck_coordinator.pipeline.dataset import Array, Categorical, Column, Dataset
from potluck_coordinator.pipeline.features import width_of
from potluck_coordinator.pipeline.gaps import infinite_rows
from potluck_coordinator.pipeline.identifiers import identifiers
from potluck_coordinator.pipeline.roles import suggested_target
from potluck_coordinator.pipeline.target import label_of

EXAMPLES = 3


def profile(dataset: Dataset) -> DatasetProfile:
    """Describe each column: kind, type, missing values, examples."""
    found = identifiers(dataset)
    return DatasetProfile(
        kind=dataset.kind,
        rows=dataset.rows,
        columns=[
            _column(column).model_copy(update={"identifier": found.get(name, "")})
            for name, column in dataset.columns.items()
        ],
        suggested_target=suggested_target(dataset),
        warnings=[*dataset.warnings, *_warnings(dataset, found)],
    )


def _column(column: Column) -> ColumnProfile:
    missing = int(column.missing.sum())
    if isinstance(column, Array):
        low, high = column.values.min(), column.values.max()
        return ColumnProfile(
            name=column.name,
            kind="array",
            dtype=column.dtype,
            shape=list(column.values.shape[1:]),
            missing=missing,
            width=width_of(column),
            unique=None,
            examples=[f"{_short(low)} to {_short(high)}"] if missing == 0 else [],
        )
    if isinstance(column, Categorical):
        used = column.codes[column.codes >= 0]
        _, first = np.unique(used, return_index=True)
        examples = [column.vocabulary[used[i]][:60] for i in np.sort(first)[:EXAMPLES]]
        return ColumnProfile(
            name=column.name,
            kind="categorical",
            dtype=column.dtype,
            shape=[],
            missing=missing,
            width=width_of(column),
            unique=len(first),
            examples=examples,
        )
    present = column.values[~column.missing]
    values, first = np.unique(present, return_index=True)
    return ColumnProfile(
        name=column.name,
        kind="numeric",
        dtype=column.dtype,
        shape=[],
        missing=missing,
        width=width_of(column),
        unique=len(values),
        examples=[_short(present[i]) for i in np.sort(first)[:EXAMPLES]],
    )


def _short(value: Any) -> str:
    number = float(value)
    return label_of(number) if abs(number) < 1e15 and number.is_integer() else f"{number:.6g}"


def _warnings(dataset: Dataset, identifying: Mapping[str, str]) -> list[str]:
    said: list[str] = []
    for column in dataset.columns.values():
        infinite = infinite_rows(column)
        missing = int(column.missing.sum()) - infinite
        if missing:
            said.append(f"{column.name}: {missing} of {dataset.rows} rows have no value.")
        if infinite:
            said.append(f"{column.name}: {infinite} of {dataset.rows} rows are infinite.")
        if why := identifying.get(column.name):
            said.append(f"{column.name}: {why}. It is no feature unless you choose it.")
    return said
