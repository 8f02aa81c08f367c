"""What an HDF5 file says it holds against what it does: counted before any of it is read.

HDF5 gives numbers that were never written as zeros, and takes 28 bytes or more for each piece that
a dataset is cut into: a file of 9 kB can ask for gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import h5py
from h5py import h5d, h5o, h5t

from potluck_converter.errors import ConversionError, shorten
from potluck_converter.limits import Limits


def check_storage(
    file: h5py.File, paths: Iterable[bytes], length: int, name: str, limits: Limits
) -> None:
    """Refuse a file that would unfold to far more than its `length` in bytes.

    `paths` are those of its links. What is linked often is refused: it would be read as often.

    Raises ConversionError `model.too_large`, `model.never_written` or `model.external_link`.
    """
    declared = 0
    for path in paths:
        found = h5o.open(file.id, path)
        if h5o.get_info(found).rc > 1:
            raise ConversionError(
                "model.external_link",
                "The file holds one array or group under several names.",
                expected="each under one name, as Keras writes them",
                got=path.decode(errors="replace"),
                where=name,
            )
        if isinstance(found, h5d.DatasetID):
            declared += _declared(found, path.decode(errors="replace"), limits)
    if declared > limits.unfolded(length):
        raise ConversionError(
            "model.too_large",
            "The file would unfold to far more than it holds.",
            expected=f"arrays of at most {limits.unfolded(length)} bytes in all",
            got=f"{declared} bytes, from a file of {length}",
            hint="Save the model again with Keras.",
            where=name,
        )


def _declared(data: h5d.DatasetID, where: str, limits: Limits) -> int:
    """Give the bytes that a dataset unfolds to, all of which lie in the file."""
    plan = data.get_create_plist()
    layout = plan.get_layout()
    size: int = prod(data.shape or ()) * data.get_type().get_size()
    numbers = data.get_type().get_class() in (h5t.INTEGER, h5t.FLOAT, h5t.OPAQUE)
    if size == 0 or not numbers or layout == h5d.VIRTUAL or plan.get_external_count():
        return 0  # no numbers, or stored elsewhere: refused where it is read
    written = data.get_storage_size() > 0
    if layout == h5d.CHUNKED:
        pieces = _pieces(data, plan.get_chunk(), where, limits)
        written = data.get_num_chunks() == pieces
    if not written:
        raise ConversionError(
            "model.never_written",
            f"The weight {shorten(where, 80)} was never written, or only in part.",
            expected=f"{size} bytes of numbers",
            got=f"{data.get_storage_size()} bytes in the file",
            where=where,
        )
    return size


def _pieces(data: h5d.DatasetID, chunk: tuple[int, ...], where: str, limits: Limits) -> int:
    """Count the pieces of a dataset, of which a reader keeps a list, and holds one whole."""
    pieces: int = prod(-(-axis // each) for axis, each in zip(data.shape, chunk, strict=True))
    length = prod(chunk) * data.get_type().get_size()
    if pieces > limits.hdf5_chunks or length > limits.chunk_bytes:
        raise ConversionError(
            "model.too_large",
            f"The weight {shorten(where, 80)} is stored in too many or too large pieces.",
            expected=f"at most {limits.hdf5_chunks} pieces of at most {limits.chunk_bytes} bytes",
            got=f"{pieces} pieces of {length} bytes",
            hint="Save the model again with Keras, which does not cut weights.",
            where=where,
        )
    return pieces
