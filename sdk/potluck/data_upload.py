"""What a submitter may pass as data, and the file that goes to the coordinator."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from potluck.errors import BadArgument
from potluck.one_hot import class_column
from potluck.transport import Upload, open_files

ZIP_MAGIC = b"PK\x03\x04"
DEFAULT_TARGET = "target"


@contextmanager
def data_file(data: object) -> Iterator[tuple[str, Upload, str | None]]:
    """Give a dataset's name, its file (open as long as the context lasts) and its target if known.

    `data` is the path of a `.csv` or `.npz` file; the bytes of one; a pandas or polars DataFrame;
    a pair (X, y) of arrays, or of a DataFrame and a column; or a dict of arrays of equal length.
    Raises `BadArgument`.
    """
    if isinstance(data, str | Path):
        path = Path(data).expanduser()
        if not path.is_file():
            raise BadArgument(f"There is no data file at {path}.")
        with open_files([path]) as opened:
            yield path.stem, ("file", opened[0]), None
        return
    name, content, target = _content(data)
    yield Path(name).stem, ("file", (name, content)), target


def _content(data: object) -> tuple[str, bytes, str | None]:
    if isinstance(data, bytes | bytearray | memoryview):
        content = bytes(data)
        return ("data.npz" if content.startswith(ZIP_MAGIC) else "data.csv"), content, None
    if is_frame(data):
        return "data.csv", _csv(data), None
    if isinstance(data, tuple) and len(data) == 2:
        if is_frame(data[0]):
            return _frame_and_target(data[0], data[1])
        target = data[1]
        if is_frame(target):
            target = class_column(plain_array("y", target), target)
        return "data.npz", npz({"x": data[0], "y": target}), "y"
    if isinstance(data, Mapping):
        return "data.npz", npz({str(key): value for key, value in data.items()}), None
    raise BadArgument(
        "Data is a pair (X, y), a pandas or polars DataFrame, a dict of arrays, or the path of a "
        f".csv or .npz file, got a {type(data).__name__}."
    )


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
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def plain_array(name: str, values: object) -> np.ndarray[Any, Any]:
    """Give an array of floats, whole numbers or text with a row axis. Raises `BadArgument`."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise BadArgument(f"The array {name!r} is ragged: {error}.") from None
    if array.ndim == 0:
        raise BadArgument(f"The array {name!r} has no rows: it is one value.")
    if array.dtype.kind in "OT" and all(isinstance(item, str) for item in array.flat):
        array = array.astype(str)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    if array.dtype.kind not in "fiuU":
        raise BadArgument(
            f"The array {name!r} holds {array.dtype}; expected numbers or text of one kind."
        )
    return array


def _frame_and_target(frame: Any, target: Any) -> tuple[str, bytes, str | None]:
    name = str(getattr(target, "name", None) or DEFAULT_TARGET)
    if name in list(frame.columns):
        raise BadArgument(
            f"The column {name!r} is both in X and the target. Leave it out of X, or pass the "
            "DataFrame alone with target=."
        )
    values = class_column(plain_array(name, target), target)
    if values.shape != (len(frame),):
        raise BadArgument(
            f"The target needs one value a row: X has {len(frame)} rows, y has the shape "
            f"{values.shape}."
        )
    if _is_of(frame, "DataFrame", "polars"):
        joined = frame.with_columns(_polars_series(frame, name, values))
    else:
        joined = frame.assign(**{name: values})
    return "data.csv", _csv(joined), name


def _polars_series(frame: Any, name: str, values: np.ndarray[Any, Any]) -> Any:
    kind = type(frame.to_series(0)) if frame.width else None
    if kind is None:
        raise BadArgument("X has no columns.")
    return kind(name, values.tolist())


def _csv(frame: Any) -> bytes:
    if _is_of(frame, "DataFrame", "polars"):
        return str(frame.write_csv()).encode()
    return str(frame.to_csv(index=False)).encode()


def _is_of(thing: object, class_name: str, package: str | None = None) -> bool:
    packages = {package} if package else {"pandas", "polars"}
    return any(
        kind.__name__ == class_name and kind.__module__.partition(".")[0] in packages
        for kind in type(thing).__mro__
    )
