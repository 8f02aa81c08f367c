"""Many columns' words, one after the other: polars looks at all of them at once.

A question to polars takes a millisecond, whether of ten words or ten thousand. Asked of each
column, a table of 10,000 columns took minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

CELLS = 100_000
"""Words of a batch, unless one column has more."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """Columns with at least one row each. Column i's words lie from `starts[i]` to the next."""

    names: tuple[str, ...]
    words: pl.Series
    starts: NDArray[np.int64]

    def any(self, flags: Flags) -> Flags:
        """Tell of each column whether one of its rows has a flag."""
        found: Flags = np.logical_or.reduceat(flags, self.starts[:-1])
        return found

    def all(self, flags: Flags) -> Flags:
        """Tell of each column whether all of its rows have a flag."""
        found: Flags = np.logical_and.reduceat(flags, self.starts[:-1])
        return found

    def count(self, flags: Flags) -> NDArray[np.int64]:
        """Count each column's rows that have a flag."""
        return np.add.reduceat(flags.astype(np.int64), self.starts[:-1])

    def spread(self, values: Flags) -> Flags:
        """Give each row its column's flag."""
        found: Flags = np.repeat(values, np.diff(self.starts))
        return found

    def different(self) -> dict[str, pl.Series]:
        """Give each column's different words, without null, as they first come."""
        if len(self.names) == 1:  # the same, in less memory
            return {self.names[0]: self.words.drop_nulls().unique(maintain_order=True)}
        ids = np.repeat(np.arange(len(self.names)), np.diff(self.starts))
        frame = pl.DataFrame({"column": ids, "words": self.words}).drop_nulls("words")
        frame = frame.unique(maintain_order=True)
        sizes = np.bincount(frame["column"].to_numpy(), minlength=len(self.names))
        cut = Batch(self.names, frame["words"], np.concatenate([[0], np.cumsum(sizes)]))
        return {name: cut.column(cut.words, place) for place, name in enumerate(self.names)}

    def column(self, series: pl.Series, number: int) -> pl.Series:
        """Cut a column out of what has a row for each word."""
        start, end = int(self.starts[number]), int(self.starts[number + 1])
        return series.slice(start, end - start).alias(self.names[number])


def batches(columns: Mapping[str, pl.Series], cells: int = CELLS) -> Iterator[Batch]:
    """Put columns together, in their order; those without a row are left out."""
    names: list[str] = []
    size = 0
    for name in list(columns):  # whoever took a batch may drop its columns
        words = columns[name]
        if not len(words):
            continue
        if names and size + len(words) > cells:
            yield _batch(names, columns)
            names, size = [], 0
        names.append(name)
        size += len(words)
    if names:
        yield _batch(names, columns)


def _batch(names: list[str], columns: Mapping[str, pl.Series]) -> Batch:
    series = [columns[name] for name in names]
    words = series[0] if len(series) == 1 else pl.concat([one.alias("words") for one in series])
    starts = np.cumsum([0, *map(len, series)])
    return Batch(tuple(names), words.rechunk().alias("words"), starts)


def flags_of(series: pl.Series) -> Flags:
    """Give booleans as numpy has them; null is no."""
    found: Flags = series.fill_null(value=False).to_numpy()
    return found
