"""A dataset in memory: named columns of one length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.pipeline.spelling import Spelling

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
"""Row numbers of the uploaded dataset, ascending."""


@dataclass(frozen=True)
class Numeric:
    """Numbers, `nan` where missing. `integer`: every one that is there is whole.

    `spelled`: the same column as words, where few are written otherwise than plain (5 €), or one
    number in several ways (1 and 1e0): labels stay as they are written. `gaps`: words for no
    number. `merged`: two whole numbers above 2**53 that `values` cannot tell apart.
    """

    name: str
    values: Floats
    dtype: str
    integer: bool
    spelled: Categorical | None = None
    gaps: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Tell which rows have no finite number."""
        return ~np.isfinite(self.values)


@dataclass(frozen=True)
class Categorical:
    """Words: `codes` into `vocabulary` (sorted), -1 where missing.

    `note`: why the column is words though it looks like numbers. `gaps`: words for no word.
    """

    name: str
    codes: NDArray[np.int64]
    vocabulary: tuple[str, ...]
    dtype: str
    note: str = ""
    gaps: tuple[str, ...] = ()

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Tell which rows have no word."""
        return self.codes < 0


@dataclass(frozen=True)
class Array:
    """One array of an `.npz` with two or more axes, rows first."""

    name: str
    values: NDArray[Any]

    @property
    def dtype(self) -> str:
        """Give numpy's name of the type."""
        return str(self.values.dtype)

    @property
    def integer(self) -> bool:
        """Tell whether the array holds whole numbers by type."""
        return self.values.dtype.kind in "iub"

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Tell which rows hold a number that is not finite."""
        if self.integer:
            return np.zeros(len(self.values), dtype=np.bool_)
        flat = self.values.reshape(len(self.values), -1)
        whole: NDArray[np.bool_] = np.isfinite(flat).all(axis=1)
        return ~whole


Column = Numeric | Categorical | Array


@dataclass(frozen=True)
class Dataset:
    """What `read_dataset` understood. `columns` keep the file's order.

    `spellings`: how those columns of a table are written that are not plain.
    """

    kind: Literal["table", "arrays"]
    rows: int
    columns: Mapping[str, Column]
    warnings: tuple[str, ...] = ()
    spellings: Mapping[str, Spelling] = field(default_factory=dict)

    def with_column(self, column: Column, spelling: Spelling | None) -> Dataset:
        """Give the dataset with one column read in another way."""
        kept = {name: one for name, one in self.spellings.items() if name != column.name}
        spellings = kept if spelling is None else {**kept, column.name: spelling}
        return replace(self, columns={**self.columns, column.name: column}, spellings=spellings)
