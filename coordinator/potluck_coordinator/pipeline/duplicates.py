"""Rows with equal features: copies of one another, or coincidences of a coarse table?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.pipeline.dataset import Array, Categorical, Dataset, Numeric

Ints = NDArray[np.int64]
FEW_REPEATS = 0.05
"""Up to this share of rows that repeat an earlier one, keeping them together changes little."""
FEW_VALUES = 12
"""A column with no more different values is coarse: it repeats by nature."""
FEW_COLUMNS = 32
"""More columns than that are not equal by coincidence, however coarse each is."""
FEWEST_DOUBLED, MOST_DOUBLED = 50, 10
"""So many different rows do not repeat equally often, up to this, by coincidence."""
EXPLAINED = 0.05
"""Chance explains repeats where it alone makes this share of them."""
MOST_COLUMNS_SEEN = 256
FEWEST_PRECISE = 10
DIGITS = 1e4


@dataclass(frozen=True)
class Repeats:
    """How often rows repeat. `copies`: no coincidence explains it, so parting them is a leak."""

    rows: int
    distinct: int
    largest: int
    copies: bool

    @property
    def share(self) -> float:
        """Give the share of rows that repeat an earlier one."""
        return (self.rows - self.distinct) / self.rows


def row_groups(dataset: Dataset, features: Sequence[str]) -> Ints:
    """Number the rows so that rows with equal features, and only those, share a number."""
    parts: list[NDArray[np.uint8]] = []
    for name in features:
        column = dataset.columns[name]
        if isinstance(column, Categorical):
            values: NDArray[Any] = column.codes
        elif isinstance(column, Array):
            values = column.values.reshape(dataset.rows, -1)
        else:
            values = column.values
        if values.dtype.kind == "f":
            values = values + 0.0  # -0.0 and 0.0 are equal but differ in bytes
        wide = np.ascontiguousarray(values).reshape(dataset.rows, -1)
        parts.append(wide.view(np.uint8).reshape(dataset.rows, -1))
    seen: dict[bytes, int] = {}
    numbers = np.empty(dataset.rows, dtype=np.int64)
    for row in range(dataset.rows):
        digest = hashlib.blake2b(digest_size=16)
        for part in parts:
            digest.update(part[row])
        numbers[row] = seen.setdefault(digest.digest(), len(seen))
    return numbers


def repeats(dataset: Dataset, features: Sequence[str], groups: Ints) -> Repeats:
    """Judge the rows that share a group: `groups` are those of `row_groups`.

    Few repeats, pictures and series, many columns, numbers of full precision, and a table that was
    doubled as a whole count as copies.
    Coarse tables (words, counts, answers of a survey) repeat by nature, and so do rows that are
    equal about as often as independent columns would make them.
    """
    sizes = np.bincount(groups)
    rows, distinct, largest = dataset.rows, len(sizes), int(sizes.max())
    share = (rows - distinct) / rows
    doubled = distinct >= FEWEST_DOUBLED and int(sizes.min()) == largest <= MOST_DOUBLED
    few = share <= FEW_REPEATS
    copies = few or doubled or not _coincidence(dataset, features, distinct, share)
    return Repeats(rows, distinct, largest, copies)


def _coincidence(dataset: Dataset, features: Sequence[str], distinct: int, share: float) -> bool:
    used = [dataset.columns[name] for name in features]
    if any(isinstance(column, Array) and column.values.ndim > 2 for column in used):
        return False
    pair, coarse = 1.0, True
    for number, values in enumerate(_columns(dataset, features), 1):
        found, counts = np.unique(values, return_counts=True)
        if 10 * len(found) >= 9 * distinct and _precise(found):
            return False
        coarse = coarse and len(found) <= min(FEW_VALUES, distinct / 2)
        pair *= float(np.square(counts / dataset.rows).sum())
        explained = (dataset.rows - 1) * pair >= EXPLAINED * share
        if not explained and (not coarse or number > FEW_COLUMNS):
            return False
    return True


def _columns(dataset: Dataset, features: Sequence[str]) -> Iterator[NDArray[Any]]:
    """Give the columns one by one, those of a flat array too; at most so many."""
    seen = 0
    for name in features:
        column = dataset.columns[name]
        if isinstance(column, Categorical):
            flat: NDArray[Any] = column.codes.reshape(dataset.rows, 1)
        elif isinstance(column, Numeric):
            flat = column.values.reshape(dataset.rows, 1)
        else:
            flat = column.values.reshape(dataset.rows, -1)
        for place in range(flat.shape[1]):
            if seen == MOST_COLUMNS_SEEN:
                return
            seen += 1
            yield flat[:, place]


def _precise(values: NDArray[Any]) -> bool:
    """Tell whether numbers have more digits than a person would write: such are never equal."""
    if values.dtype.kind != "f" or len(values) < FEWEST_PRECISE:
        return False
    some = np.abs(values.astype(np.float64))
    some = some[some > np.finfo(np.float32).tiny]
    if not len(some):
        return False
    digits = some / 10.0 ** np.floor(np.log10(some)) * DIGITS
    short = np.abs(digits - np.round(digits)) < 0.02  # float32 keeps no more of its digits
    return bool(short.mean() < 0.5)
