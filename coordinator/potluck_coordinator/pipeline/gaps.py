"""Rows without a value, told apart from rows whose number is infinite."""

from __future__ import annotations

import numpy as np

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline.dataset import Array, Categorical, Column


def missing_values(column: Column, what: str, hint: str) -> BadDataset:
    """Give the refusal of a column in which some rows have no finite value or no word."""
    rows = column.missing
    infinite = infinite_rows(column)
    words = () if isinstance(column, Array) else column.gaps
    says = f" ({' or '.join(map(repr, words[:3]))} says so)" if words else ""
    empty = int(rows.sum()) - infinite
    got = [f"{empty} rows without one{says}"] if empty else []
    got += [f"{infinite} rows with an infinite number"] if infinite else []
    without = "an infinite number" if not empty else "a missing value"
    text = isinstance(column, Categorical)
    if text and words:
        hint += f" Where {words[0]!r} is a word of its own, write it otherwise."
    return BadDataset(
        "dataset.missing_values",
        f"The {what} {column.name!r} has rows with {without}.",
        expected="a word in every row" if text else "a finite number in every row",
        got=f"{' and '.join(got)}, first row {int(rows.argmax()) + 1}",
        hint=hint,
        where=column.name,
    )


def infinite_rows(column: Column) -> int:
    """Count the rows that hold an infinite number and none that is missing."""
    if isinstance(column, Categorical) or column.values.dtype.kind not in "fc":
        return 0
    flat = column.values.reshape(len(column.values), -1)
    return int((np.isinf(flat).any(axis=1) & ~np.isnan(flat).any(axis=1)).sum())
