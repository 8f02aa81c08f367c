"""A target that is one-hot rows: one column a class, with a single 1 in each row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck.one_hot import class_numbers
from potluck_coordinator.pipeline.dataset import Array, Column, Numeric

BLOCK = 1 << 20
"""Numbers that are looked at together, so that checking takes little memory."""


@dataclass(frozen=True)
class OneHot(Numeric):
    """The class numbers of one-hot rows, and how many columns (classes) there were."""

    width: int = 0


def blocks(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give [rows, ...] as [some rows, numbers of a row], each with its first row's number."""
    flat = values.reshape(len(values), -1)
    rows = max(1, BLOCK // max(1, flat.shape[1]))
    for start in range(0, len(flat), rows):
        yield start, flat[start : start + rows]


def one_hot(column: Array) -> OneHot | None:
    """Read one-hot rows of numbers or booleans; None where one row is anything else."""
    if column.values.ndim != 2 or column.values.shape[1] < 2:
        return None
    numbers = class_numbers(column.values)
    if numbers is None:
        return None
    width = column.values.shape[1]
    return OneHot(column.name, numbers.astype(np.float64), column.dtype, True, width=width)


def empty_classes(column: Column) -> list[str]:
    """Warn of columns of one-hot rows that hold no 1: classes that nothing can be learned of."""
    if not isinstance(column, OneHot):
        return []
    counts = np.bincount(column.values.astype(np.int64), minlength=column.width)
    empty = np.flatnonzero(counts == 0).tolist()
    shown = ", ".join(map(str, empty[:8])) + (", …" if len(empty) > 8 else "")
    return [f"These classes have no row: {shown}."] if empty else []


def first_other_row(column: Array) -> tuple[int, str]:
    """Name the first row that is not one-hot, from 0, and what it is instead."""
    for start, block in blocks(column.values):
        ones = block == 1
        binary = (ones | (block == 0)).all(axis=1)
        wrong = ~binary | (ones.sum(axis=1) != 1)
        if not wrong.any():
            continue
        at = int(wrong.argmax())
        row = block[at]
        if not np.isfinite(row.astype(np.float64)).all():
            return start + at, "a number that is not finite"
        if binary[at]:
            count = int(ones[at].sum())
            return start + at, "no 1 at all" if count == 0 else f"{count} ones"
        if (row >= 0).all() and abs(float(row.sum(dtype=np.float64)) - 1) < 1e-3:
            return start + at, "shares that sum to 1 (soft or smoothed labels)"
        return start + at, "numbers other than 0 and 1"
    return -1, ""
