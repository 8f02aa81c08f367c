"""What a submitter may pass as data, and the file that goes to the coordinator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from potluck.arguments import shown
from potluck.arrays import npz, plain_array
from potluck.errors import BadArgument
from potluck.frames import frame_csv
from potluck.kinds import is_frame, is_of
from potluck.one_hot import class_column
from potluck.transport import Upload, open_files

ZIP_MAGIC = b"PK\x03\x04"
DEFAULT_TARGET = "target"


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
            raise BadArgument(no_data_file(data))
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


def is_folder(named: str | Path) -> bool:
    """Tell whether a folder is at a path."""
    try:
        return Path(named).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False


def no_data_file(named: str | Path) -> str:
    """Say that there is no file at a path, and whether there is a folder."""
    if str(named) and is_folder(named):
        return f"{shown(str(named))} is a folder. Data is one file in it: a .csv or an .npz."
    return f"There is no data file at {shown(str(named))}."


def _content(data: object) -> tuple[str, bytes, str | None]:
    if isinstance(data, bytes | bytearray | memoryview):
        content = bytes(data)
        return ("data.npz" if content.startswith(ZIP_MAGIC) else "data.csv"), content, None
    if is_frame(data):
        return "data.csv", frame_csv(data), None
    if is_of(data, "Bunch", "sklearn"):
        data = _of_bunch(data)
        if is_frame(data):
            return "data.csv", frame_csv(data), None
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


def _frame_and_target(frame: Any, target: Any) -> tuple[str, bytes, str | None]:
    name = str(getattr(target, "name", None) or DEFAULT_TARGET)
    if name in [str(column) for column in frame.columns]:
        raise BadArgument(
            f"The column {name!r} is both in X and the target. Leave it out of X, or pass the "
            "DataFrame alone with target=."
        )
    # A nullable column keeps its missing values; the others are plain by now.
    nullable = is_of(target, "Series", "pandas") and bool(target.isna().any())
    values = target.array if nullable else class_column(plain_array(name, target), target)
    if values.shape != (len(frame),):
        raise BadArgument(
            f"The target needs one value a row, or one-hot rows: X has {len(frame)} rows, y has "
            f"the shape {values.shape}. Several targets are not yet trained."
        )
    if is_of(frame, "DataFrame", "polars"):
        joined = frame.with_columns(_polars_series(frame, name, np.asarray(values)))
    else:
        joined = frame.assign(**{name: values})
    return "data.csv", frame_csv(joined), name


def _polars_series(frame: Any, name: str, values: np.ndarray[Any, Any]) -> Any:
    kind = type(frame.to_series(0)) if frame.width else None
    if kind is None:
        raise BadArgument("X has no columns.")
    return kind(name, values.tolist())
