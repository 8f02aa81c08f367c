"""Feature columns: what they need, and how wide they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from potluck_coordinator.core.errors import BadDataset, BadStudy
from potluck_coordinator.pipeline.dataset import Array, Categorical, Column, Dataset, Numeric
from potluck_coordinator.pipeline.exact import refuse_merged
from potluck_coordinator.pipeline.gaps import missing_values

MOST_CATEGORIES = 512
LARGEST = 1e30
"""Larger numbers leave float32's range after a step or two of arithmetic."""


def check_features(
    dataset: Dataset, features: Sequence[str], vocabulary: int | None
) -> tuple[tuple[int, ...], list[str]]:
    """Give one row's shape and warnings. Raises BadStudy `pipeline.*`, BadDataset `dataset.*`."""
    if not features:
        raise BadStudy(
            "pipeline.no_features",
            "No column is left to learn from.",
            expected="at least one feature besides the target",
            got="none",
            where="pipeline.features",
        )
    unknown = [name for name in features if name not in dataset.columns]
    if unknown:
        raise BadStudy(
            "pipeline.unknown_feature",
            "The dataset does not have these columns.",
            expected="some of: " + ", ".join(list(dataset.columns)[:20]),
            got=", ".join(unknown[:8]),
            where="pipeline.features",
        )
    columns = [dataset.columns[name] for name in features]
    for column in columns:
        _check(column, vocabulary)
    if len(columns) > 1 and any(isinstance(column, Array) for column in columns):
        raise BadStudy(
            "pipeline.several_inputs",
            "Several arrays cannot be joined into one input yet.",
            expected="one array, or columns with one value a row",
            got=", ".join(features[:8]),
            where="pipeline.features",
        )
    warnings = [
        f"{column.name} is the same in every row."
        for column in columns
        if not isinstance(column, Array) and _constant(column)
    ]
    first = columns[0]
    if isinstance(first, Array):
        return first.values.shape[1:], warnings
    return (sum(width_of(column) for column in columns),), warnings


def width_of(column: Column) -> int:
    """Give how many numbers a column becomes."""
    if isinstance(column, Categorical):
        return len(column.vocabulary)
    return math.prod(column.values.shape[1:])


def _constant(column: Column) -> bool:
    if isinstance(column, Categorical):
        return len(column.vocabulary) == 1
    return bool(column.values.min() == column.values.max())


def _check(column: Column, vocabulary: int | None) -> None:
    if column.missing.any():
        hint = "Leave the column out, or fill or remove these rows and upload again."
        raise missing_values(column, "feature", hint)
    refuse_merged(column, "feature")
    if vocabulary is not None:
        _check_tokens(column, vocabulary)
    elif isinstance(column, Categorical):
        if len(column.vocabulary) > MOST_CATEGORIES:
            raise BadStudy(
                "pipeline.too_many_categories",
                f"The column {column.name!r} has too many different words to be a feature.",
                expected=f"at most {MOST_CATEGORIES}",
                got=str(len(column.vocabulary)),
                hint=column.note
                or "Leave the column out; names and identifiers teach a network nothing.",
                where=column.name,
            )
    elif np.abs(column.values.astype(np.float64, copy=False)).max() > LARGEST:
        raise BadDataset(
            "dataset.not_finite",
            f"The feature {column.name!r} holds numbers too large for a network.",
            expected=f"numbers between -{LARGEST:g} and {LARGEST:g}",
            got=f"{np.abs(column.values).max():g}",
            where=column.name,
        )


def _whole(column: Numeric | Array) -> bool:
    return column.integer or bool(np.all(column.values == np.floor(column.values)))


def _check_tokens(column: Column, vocabulary: int) -> None:
    hint = "Number the words from 0, or give the Embedding a larger input_dim."
    if not isinstance(column, Categorical) and _whole(column):
        low, high = column.values.min(), column.values.max()
        if low >= 0 and high < vocabulary:
            return
        got = f"numbers from {low:g} to {high:g}"
        if low >= 0:
            hint = f"Number the words from 0, or give the Embedding an input_dim of {high + 1:g}."
    else:
        got = f"{column.dtype}"
    raise BadStudy(
        "pipeline.tokens_mismatch",
        f"The model begins with an Embedding, which {column.name!r} does not suit.",
        expected=f"whole numbers from 0 to {vocabulary - 1}",
        got=got,
        hint=hint,
        where=column.name,
    )
