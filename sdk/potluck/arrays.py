"""Arrays as a coordinator reads them: numbers or text with a row axis, packed as `.npz`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from potluck.errors import BadArgument
from potluck.kinds import is_of

MOST_DENSE = 250_000_000
"""So many numbers of a sparse matrix are written out with their zeros (2 GB), and no more."""


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
        array = np.asarray(_unmasked(name, _dense(name, values)))
    except (ValueError, TypeError, OverflowError) as error:
        raise BadArgument(f"The array {name!r} is ragged: {str(error)[:200]}.") from None
    if array.ndim == 0:
        raise BadArgument(
            f"The array {name!r} has no rows: it is one value, of type {type(values).__name__}."
        )
    if array.dtype.kind in "OT" and all(isinstance(item, str) for item in array.flat):
        array = array.astype(str)
    if array.dtype.kind in "mM":
        array = as_days(array)
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
    if is_of(values, "Series", "pandas") and values.dtype.kind in "iuf" and values.hasnans:
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _unmasked(name: str, values: Any) -> Any:
    """Give a masked array, or a list of them, with NaN where something is masked.

    What lies under a mask is anything (-9999), and numpy hands it on as if it were data. Text has
    no NaN: it is refused here, as the coordinator refuses numbers.
    """
    if isinstance(values, list | tuple):
        masked = any(isinstance(item, np.ma.MaskedArray) for item in values)
        return [_unmasked(name, item) for item in values] if masked else values
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if values.dtype.names is not None or not np.ma.is_masked(values):
        return values.data
    if values.dtype.kind in "biu":
        return np.ma.filled(values.astype(np.float64), np.nan)
    if values.dtype.kind in "mM":
        nothing: Any = np.array("NaT", values.dtype)[()]
        return np.ma.filled(values, nothing)
    if values.dtype.kind in "fc":
        return np.ma.filled(values, np.nan)
    gone = np.ma.getmaskarray(values).reshape(len(values), -1).any(axis=1)
    raise BadArgument(
        f"The array {name!r} has rows without a value: {int(gone.sum())} rows are masked, first "
        f"row {int(gone.argmax()) + 1}. Remove these rows."
    )


def as_days(times: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give dates as days since 1970, and durations as days; what is missing is NaN."""
    exact = times.astype("datetime64[us]" if times.dtype.kind == "M" else "timedelta64[us]")
    counted = exact.astype(np.int64) / 86_400e6
    return np.where(np.isnat(exact), np.nan, counted)
