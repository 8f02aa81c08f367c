"""One-hot targets, whose columns may have names that are the classes'."""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK = 1 << 20


def class_numbers(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Give the place of the single 1 in each row of `[rows, classes]`, as int64 `[rows]`.

    None where one row is anything but zeros and a single 1. Looks at few rows at a time, so that
    it takes little memory beside the numbers.
    """
    numbers = np.empty(len(values), dtype=np.int64)
    step = max(1, BLOCK // values.shape[1])
    for start in range(0, len(values), step):
        block = values[start : start + step]
        ones = block == 1
        if not (ones.sum(axis=1) == 1).all() or not (ones | (block == 0)).all():
            return None
        numbers[start : start + step] = ones.argmax(axis=1)
    return numbers


def class_column(values: np.ndarray[Any, Any], target: object) -> np.ndarray[Any, Any]:
    """Give one class a row for one-hot rows `[rows, classes]`; anything else as it came.

    Where `target`, from which `values` were taken, is a frame whose columns have words for names,
    the words are the classes; else the columns' numbers, from 0, are.
    """
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "biuf":
        return values
    numbers = class_numbers(values)
    if numbers is None:
        return values
    names = list(getattr(target, "columns", ()))
    if len(names) == values.shape[1] and all(isinstance(name, str) for name in names):
        named: np.ndarray[Any, Any] = np.asarray(names)[numbers]
        return named
    return numbers
