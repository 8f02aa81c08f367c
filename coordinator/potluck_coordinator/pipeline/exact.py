"""Whole numbers above 2**53, of which float64 makes one where they were several."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline.dataset import Array, Column, Numeric

EXACT = 2**53
LONG = r"^[-+]?[0-9]{16,40}$"
"""Shorter words are below 2**53."""


def merged_integers(values: NDArray[Any]) -> tuple[str, ...]:
    """Give two different whole numbers [rows] that are one as float64; none where there are none.

    Checking costs a look at the extremes where all numbers are small.
    """
    if _are_exact(values):
        return ()
    different = np.unique(values)
    equal = np.flatnonzero(np.diff(different.astype(np.float64)) == 0)
    return (str(different[equal[0]]), str(different[equal[0] + 1])) if len(equal) else ()


def _are_exact(values: NDArray[Any]) -> bool:
    """Tell numbers that are no whole ones, or all small."""
    if values.dtype.kind not in "iu" or not values.size:
        return True
    return bool(values.max() <= EXACT and values.min() >= -EXACT)


def merged_words(words: pl.Series) -> tuple[str, ...]:
    """Do as `merged_integers` does for a table's words."""
    long = words.filter(words.str.contains(LONG).fill_null(value=False)).unique().to_list()
    for one, other in pairwise(sorted({int(word) for word in long})):
        if float(one) == float(other):
            return str(one), str(other)
    return ()


def refuse_merged(column: Column, what: str) -> None:
    """Refuse numbers that would become one. Raises BadDataset `dataset.not_exact`."""
    pair = _pair(column)
    if pair:
        raise BadDataset(
            "dataset.not_exact",
            f"The {what} {column.name!r} holds whole numbers above 2**53, which cannot be told "
            "apart: networks calculate with fewer digits.",
            expected="whole numbers from -2**53 to 2**53, or others that differ as float64",
            got=" and ".join(pair),
            hint="Subtract the least of them from all, or make them text if they name classes.",
            where=column.name,
        )


def _pair(column: Column) -> tuple[str, ...]:
    if isinstance(column, Numeric):
        return column.merged
    if not isinstance(column, Array) or _are_exact(column.values):
        return ()
    flat = column.values.reshape(len(column.values), -1)
    found = (merged_integers(flat[:, place]) for place in range(flat.shape[1]))
    return next((pair for pair in found if pair), ())
