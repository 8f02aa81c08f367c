"""Different words of columns, parted into sign, unit and digits: they tell how it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from potluck_coordinator.pipeline.batches import Batch, Flags, batches, flags_of
from potluck_coordinator.pipeline.spelling import parted, read_bodies

MARKS = ((".", ","), (".", " "), (".", "'"), (",", "."), (",", " "), (",", "'"))
"""Decimal mark and thousands that go together."""
SAMPLE = 1000
CODE = r"^0[0-9]+$"

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """One column's different words. Flags are of its numbers (`number`), and no elsewhere.

    `coded`: begins with a zero. `nonzero`: holds another digit than 0. `marked`, `comma`: holds
    `.` or `,`, or a comma. `grouped`: holds any mark. `holds`: which thousands marks. `values`: by
    decimal and thousands mark; NaN where it is not written so.
    """

    words: pl.Series
    units: pl.Series
    lengths: NDArray[np.int64]
    number: Flags
    enclosed: Flags
    coded: Flags
    nonzero: Flags
    marked: Flags
    comma: Flags
    grouped: Flags
    holds: Mapping[str, Flags]
    values: Mapping[tuple[str, str], Numbers]

    def __len__(self) -> int:
        return len(self.words)


def parts_of(columns: Mapping[str, pl.Series]) -> Iterator[tuple[str, Parts]]:
    """Part the different words of columns, without those most of whose words are no numbers."""
    for batch in batches(columns):
        likely = _likely(batch.different())
        for smaller in batches(likely):
            yield from _parts(smaller)


def _likely(different: dict[str, pl.Series]) -> dict[str, pl.Series]:
    """Leave out the columns most of whose first words are no numbers."""
    heads = {name: words.head(SAMPLE) for name, words in different.items()}
    for batch in batches(heads):
        bodies = batch.count(flags_of(parted(batch.words)["body"].is_not_null()))
        for place, name in enumerate(batch.names):
            if 2 * (len(heads[name]) - int(bodies[place])) > len(heads[name]):
                del different[name]
    return different


def _parts(batch: Batch) -> Iterator[tuple[str, Parts]]:
    frame = parted(batch.words)
    body = frame["body"]
    number = flags_of(body.is_not_null())
    all_of = Parts(
        words=batch.words,
        units=frame["unit"],
        lengths=body.str.len_chars().fill_null(0).to_numpy().astype(np.int64),
        number=number,
        enclosed=flags_of(frame["enclosed"]) & number,
        coded=flags_of(body.str.contains(CODE)),
        nonzero=flags_of(body.str.contains(r"[1-9]")),
        marked=flags_of(body.str.contains(r"[.,]")),
        comma=flags_of(body.str.contains(",", literal=True)),
        grouped=flags_of(body.str.contains(r"[.,' ]")),
        holds={
            mark: flags_of(body.str.contains(mark, literal=True)) for mark in (",", " ", "'", ".")
        },
        values={marks: _numbers(read_bodies(frame, *marks)) for marks in MARKS},
    )
    for place, name in enumerate(batch.names):
        cut = slice(int(batch.starts[place]), int(batch.starts[place + 1]))
        yield (
            name,
            Parts(
                words=batch.column(all_of.words, place),
                units=batch.column(all_of.units, place),
                lengths=all_of.lengths[cut],
                number=all_of.number[cut],
                enclosed=all_of.enclosed[cut],
                coded=all_of.coded[cut],
                nonzero=all_of.nonzero[cut],
                marked=all_of.marked[cut],
                comma=all_of.comma[cut],
                grouped=all_of.grouped[cut],
                holds={mark: flags[cut] for mark, flags in all_of.holds.items()},
                values={marks: values[cut] for marks, values in all_of.values.items()},
            ),
        )


def _numbers(series: pl.Series) -> Numbers:
    return series.fill_null(float("nan")).to_numpy()
