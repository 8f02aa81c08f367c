"""DataFrames as a coordinator reads them: written as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

import numpy as np

from potluck.arguments import shown
from potluck.arrays import as_days
from potluck.errors import BadArgument
from potluck.kinds import is_of
from potluck.protocol.words import MISSING_WORDS


def frame_csv(frame: Any) -> bytes:
    """Write a frame as a table: dates as days, and words such as NA in quotation marks."""
    try:
        if is_of(frame, "DataFrame", "polars"):
            return _polars_csv(frame)
        return _pandas_csv(frame)
    except UnicodeEncodeError:
        raise BadArgument("The DataFrame holds text that is no Unicode.") from None


def index_left_out(data: object) -> str:
    """Say of what was passed as data which named index of a DataFrame is not sent; "" if none is.

    `df.groupby(...).mean()` and `df.set_index(...)` make columns an index, where nobody sees them.
    """
    things: list[Any] = [data]
    if isinstance(data, Mapping):
        things = list(data.values())
    elif isinstance(data, tuple):
        things = list(data)
    for frame in things:
        if is_of(frame, "DataFrame", "pandas"):
            columns = [str(column) for column in frame.columns]
            names = [str(name) for name in frame.index.names if name is not None]
            lost = [name for name in names if name not in columns]
            if lost:
                listed = ", ".join(f'"{name}"' for name in lost)
                return f"The index {listed} was left out; df.reset_index() makes it columns."
    return ""


def _pandas_csv(frame: Any) -> bytes:
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise BadArgument(
            "The DataFrame's columns have several levels. Give each column one name, for example "
            "with df.columns = ['_'.join(names) for names in df.columns]."
        )
    changed: dict[int, Any] = {}
    words = False
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if column.dtype.kind in "mM":
            # Without its time zone: the same instants.
            zone = getattr(column.dtype, "tz", None)
            naive = column if zone is None else column.dt.tz_convert(None)
            changed[place] = as_days(naive.to_numpy())
        elif column.dtype.kind not in "iufb":
            _check_cells(str(name), column)
            words = words or bool(column.isin(MISSING_WORDS).any())
    if changed:
        frame = frame.copy()
        for place, days in changed.items():
            frame.isetitem(place, days)
    quoting = csv.QUOTE_NONNUMERIC if words else csv.QUOTE_MINIMAL
    return str(frame.to_csv(index=False, quoting=quoting)).encode()


def _check_cells(name: str, column: Any) -> None:
    if any(isinstance(v, bytes | bytearray | memoryview) for v in column):
        raise _bytes(name, "bytes", '.str.decode("utf-8")')
    nested = (list, tuple, dict, set, frozenset, np.ndarray, complex)
    odd = next((v for v in column if isinstance(v, nested)), None)
    if odd is not None or column.dtype.kind == "c":
        held = "complex numbers" if odd is None else shown(odd)
        raise _nested(name, held)


def _nested(name: str, held: object) -> BadArgument:
    return BadArgument(
        f"The column {name!r} holds {held}; expected a number or a word in each row. Arrays go "
        "into a dict of arrays [rows, ...]."
    )


def _bytes(name: str, kind: str, way_out: str) -> BadArgument:
    return BadArgument(
        f"The column {name!r} holds {kind}; expected a number or a word in each row. Make words of "
        f"it, for example with {way_out}, or leave the column out."
    )


def _polars_csv(frame: Any) -> bytes:
    import polars as pl

    binary = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    if binary:
        raise _bytes(binary[0], "Binary", ".cast(pl.String)")
    nested = [n for n, kind in frame.schema.items() if kind.is_nested() or kind == pl.Object]
    if nested:
        raise _nested(nested[0], frame.schema[nested[0]])
    day = 86_400e6
    changed = [
        (pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone(None).cast(pl.Int64) / day)
        if kind in (pl.Date, pl.Datetime)
        else pl.col(name).dt.total_microseconds() / day
        for name, kind in frame.schema.items()
        if kind in (pl.Date, pl.Datetime, pl.Duration)
    ]
    frame = frame.with_columns(changed)
    texts = [c for c in frame.get_columns() if c.dtype in (pl.String, pl.Categorical, pl.Enum)]
    words = any(c.cast(pl.String).is_in(MISSING_WORDS).any() for c in texts)
    try:
        return str(frame.write_csv(quote_style="non_numeric" if words else "necessary")).encode()
    except pl.exceptions.PolarsError as error:  # a kind of a polars that is newer than this
        kinds = ", ".join(f"{name!r} {kind}" for name, kind in list(frame.schema.items())[:20])
        raise BadArgument(
            f"polars cannot write the DataFrame as CSV: {str(error).splitlines()[0][:200]}. Leave "
            f"out what is neither numbers nor words: {kinds}."
        ) from None
