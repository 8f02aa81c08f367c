"""What a submitter may pass as data, and the file that goes to the coordinator."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from potluck.arguments import shown
from potluck.errors import BadArgument
from potluck.one_hot import class_column
from potluck.protocol.words import MISSING_WORDS
from potluck.transport import Upload, open_files

ZIP_MAGIC = b"PK\x03\x04"
DEFAULT_TARGET = "target"
MOST_DENSE = 250_000_000
"""So many numbers of a sparse matrix are written out with their zeros (2 GB), and no more."""


@contextmanager
def data_file(data: object) -> Iterator[tuple[str, Upload, str | None]]:
    """Give a dataset's name, its file (open as long as the context lasts) and its target if known.

    `data` is the path of a `.csv` or `.npz` file; the bytes of one; a pandas or polars DataFrame;
    a pair (X, y) of arrays, or of a DataFrame and a column; a dict of arrays of equal length; or
    scikit-learn's `Bunch`. Sparse matrices are written out, dates and durations become days. Raises
    `BadArgument`.
    """
    if isinstance(data, str | Path):
        path = existing_file(data)
        if path is None:
            raise BadArgument(f"There is no data file at {shown(str(data))}.")
        with open_files([path]) as opened:
            yield path.stem, ("file", opened[0]), None
        return
    name, content, target = _content(data)
    yield Path(name).stem, ("file", (name, content)), target


def existing_file(named: str | Path) -> Path | None:
    """Give the file at a path; None where there is none, or where no path can be so written."""
    try:
        path = Path(named).expanduser()
        return path if path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, an unknown home
        return None


def _content(data: object) -> tuple[str, bytes, str | None]:
    if isinstance(data, bytes | bytearray | memoryview):
        content = bytes(data)
        return ("data.npz" if content.startswith(ZIP_MAGIC) else "data.csv"), content, None
    if is_frame(data):
        return "data.csv", _csv(data), None
    if _is_of(data, "Bunch", "sklearn"):
        data = _of_bunch(data)
        if is_frame(data):
            return "data.csv", _csv(data), None
    if isinstance(data, tuple) and len(data) == 2:
        features, target = data[0], one_column(data[1])
        if isinstance(features, tuple) and isinstance(target, tuple):
            raise BadArgument(
                "Data is one pair (X, y), got two, as keras.datasets gives them. Join the rows: "
                "the coordinator keeps test rows apart itself."
            )
        if is_frame(features):
            return _frame_and_target(features, target)
        return "data.npz", npz({"x": features, "y": target}), "y"
    if isinstance(data, Mapping):
        return "data.npz", npz({str(key): value for key, value in data.items()}), None
    raise BadArgument(
        "Data is a pair (X, y), a pandas or polars DataFrame, a dict of arrays, or the path of a "
        f".csv or .npz file, got {shown(data)}."
    )


def _of_bunch(bunch: Any) -> object:
    """Give what scikit-learn's `load_*` and `fetch_*` functions found: a frame, or X and y."""
    frame = bunch.get("frame")
    if frame is not None:
        return frame
    if "data" not in bunch or bunch.get("target") is None:
        found = ", ".join(map(str, bunch)) or "nothing"
        raise BadArgument(f"A Bunch needs data and target to be a dataset; this has {found}.")
    return bunch["data"], bunch["target"]


def one_column(target: Any) -> Any:
    """Give a target of the shape [rows, 1], a frame's too, as the column that it is.

    A one-hot frame is a column of its columns' names. Others stay as they are.
    """
    if is_frame(target):
        columns = list(target.columns)
        if len(columns) != 1:
            return class_column(plain_array("y", target), target)
        return target[columns[0]]
    if isinstance(target, np.ndarray) and target.ndim == 2 and target.shape[1] == 1:
        return target[:, 0]
    return target


def is_frame(thing: object) -> bool:
    """Tell a pandas or polars DataFrame without importing either."""
    return _is_of(thing, "DataFrame")


def npz(arrays: Mapping[str, Any]) -> bytes:
    """Pack arrays `[rows, ...]` as `.npz`, never as objects. Raises `BadArgument`."""
    packed = {name: plain_array(name, values) for name, values in arrays.items()}
    if not packed:
        raise BadArgument("A dict of arrays needs at least one array.")
    rows = {name: array.shape[0] for name, array in packed.items()}
    if len(set(rows.values())) > 1:
        counted = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise BadArgument(f"All arrays need the same number of rows: {counted}.")
    buffer = io.BytesIO()
    # Not np.savez: it takes the names as keywords, and the same arrays must give the same bytes.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in packed.items():
            _check_name(name)
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadArgument(f"The name {ascii(name)[:60]} of an array is no text.") from None


def plain_array(name: str, values: object) -> np.ndarray[Any, Any]:
    """Give an array of floats, whole numbers or text with a row axis. Raises `BadArgument`."""
    try:
        array = np.asarray(_dense(name, values))
    except (ValueError, TypeError, OverflowError) as error:
        raise BadArgument(f"The array {name!r} is ragged: {str(error)[:200]}.") from None
    if array.ndim == 0:
        raise BadArgument(
            f"The array {name!r} has no rows: it is one value, of type {type(values).__name__}."
        )
    if array.dtype.kind in "OT" and all(isinstance(item, str) for item in array.flat):
        array = array.astype(str)
    if array.dtype.kind in "mM":
        array = _days(array)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    if array.dtype.kind not in "fiuU":
        raise BadArgument(
            f"The array {name!r} holds {array.dtype}; expected numbers or text of one kind."
        )
    return array


def _dense(name: str, values: Any) -> Any:
    """Write a sparse matrix out; give a nullable pandas column as numpy has it, NaN for missing."""
    if type(values).__module__.startswith("scipy.sparse"):
        if int(np.prod([int(n) for n in values.shape], dtype=object)) > MOST_DENSE:
            raise BadArgument(
                f"The sparse array {name!r} of {' x '.join(map(str, values.shape))} has more than "
                f"{MOST_DENSE:,} numbers with its zeros. Leave columns out, for example with "
                "scikit-learn's SelectKBest or TruncatedSVD."
            )
        return values.toarray()
    if _is_of(values, "Series", "pandas") and values.dtype.kind in "iuf" and values.hasnans:
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _days(times: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give dates as days since 1970, and durations as days; what is missing is NaN."""
    exact = times.astype("datetime64[us]" if times.dtype.kind == "M" else "timedelta64[us]")
    counted = exact.astype(np.int64) / 86_400e6
    return np.where(np.isnat(exact), np.nan, counted)


def _frame_and_target(frame: Any, target: Any) -> tuple[str, bytes, str | None]:
    name = str(getattr(target, "name", None) or DEFAULT_TARGET)
    if name in [str(column) for column in frame.columns]:
        raise BadArgument(
            f"The column {name!r} is both in X and the target. Leave it out of X, or pass the "
            "DataFrame alone with target=."
        )
    # A nullable column keeps its missing values; the others are plain by now.
    nullable = _is_of(target, "Series", "pandas") and bool(target.isna().any())
    values = target.array if nullable else class_column(plain_array(name, target), target)
    if values.shape != (len(frame),):
        raise BadArgument(
            f"The target needs one value a row, or one-hot rows: X has {len(frame)} rows, y has "
            f"the shape {values.shape}. Several targets are not yet trained."
        )
    if _is_of(frame, "DataFrame", "polars"):
        joined = frame.with_columns(_polars_series(frame, name, np.asarray(values)))
    else:
        joined = frame.assign(**{name: values})
    return "data.csv", _csv(joined), name


def _polars_series(frame: Any, name: str, values: np.ndarray[Any, Any]) -> Any:
    kind = type(frame.to_series(0)) if frame.width else None
    if kind is None:
        raise BadArgument("X has no columns.")
    return kind(name, values.tolist())


def _csv(frame: Any) -> bytes:
    """Write a frame as a table: dates as days, and words such as NA in quotation marks."""
    try:
        if _is_of(frame, "DataFrame", "polars"):
            return _polars_csv(frame)
        return _pandas_csv(frame)
    except UnicodeEncodeError:
        raise BadArgument("The DataFrame holds text that is no Unicode.") from None


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
            changed[place] = _days(naive.to_numpy())
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
    odd = next((v for v in column if isinstance(v, list | tuple | dict | set | np.ndarray)), None)
    if odd is not None or column.dtype.kind == "c":
        held = "complex numbers" if odd is None else shown(odd)
        raise BadArgument(
            f"The column {name!r} holds {held}; expected a number or a word in each row. Arrays go "
            "into a dict of arrays [rows, ...]."
        )


def _polars_csv(frame: Any) -> bytes:
    import polars as pl

    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    if nested:
        raise BadArgument(
            f"The column {nested[0]!r} holds {frame.schema[nested[0]]}; expected a number or a "
            "word in each row. Arrays go into a dict of arrays [rows, ...]."
        )
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
    return str(frame.write_csv(quote_style="non_numeric" if words else "necessary")).encode()


def _is_of(thing: object, class_name: str, package: str | None = None) -> bool:
    packages = {package} if package else {"pandas", "polars"}
    return any(
        kind.__name__ == class_name and kind.__module__.partition(".")[0] in packages
        for kind in type(thing).__mro__
    )
