"""HDF5 from strangers: nothing outside the file is followed, nothing is read before it is measured.

Keras's own readers once followed external links and storage out of uploaded files; here every link
in the file is looked at first, and a dataset is read only when its shape is the one expected.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import BinaryIO

import h5py
import numpy as np
from h5py import h5l
from numpy.typing import NDArray

from potluck_converter.errors import ConversionError
from potluck_converter.layers.base import WeightSpec
from potluck_converter.limits import Limits
from potluck_converter.readers.hdf5_storage import check_storage
from potluck_converter.sayable import check_sayable

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ATTRIBUTE_ITEMS = 100_000


@contextmanager
def open_file(
    content: bytes | BinaryIO | io.RawIOBase, name: str, limits: Limits, held: int | None = None
) -> Iterator[h5py.File]:
    """Open and check every link; raises ConversionError, also for what h5py finds broken later.

    `held`: the bytes of what the file came in, where it is another one.
    """
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    head = source.read(len(SIGNATURE)) or b""
    if head != SIGNATURE:
        raise _not_hdf5(head, name)
    length = source.seek(0, io.SEEK_END)
    source.seek(0)
    try:
        with h5py.File(source, "r") as file:
            check_storage(file, _links(file, name, limits), held or length, name, limits)
            yield file
    except ConversionError:
        raise
    except MemoryError as error:
        raise ConversionError(
            "model.too_large", "The file asks for too much memory.", where=name
        ) from error
    except Exception as error:
        # h5py raises whatever HDF5's own error maps to, and a damaged file can cause any of them.
        if "truncated" in str(error):
            raise ConversionError(
                "model.truncated",
                "The file is cut off.",
                expected="a whole HDF5 file",
                got=f"{length} bytes",
                hint="Copy or upload it again.",
                where=name,
            ) from error
        raise ConversionError(
            "model.unreadable",
            "The file is damaged: HDF5 cannot read it.",
            expected="an undamaged HDF5 file",
            got=str(error),
            hint="Save the model again.",
            where=name,
        ) from error


def _not_hdf5(content: bytes, name: str) -> ConversionError:
    kind, hint = "something else", 'Save with model.save("model.h5").'
    if not content:
        kind = "an empty file"
    elif content.startswith(b"PK"):
        kind = "a zip archive"
    return ConversionError(
        "model.not_hdf5",
        "This is not an HDF5 file.",
        expected="a Keras model saved as .h5",
        got=kind,
        hint=hint,
        where=name,
    )


def _links(file: h5py.File, name: str, limits: Limits) -> list[bytes]:
    """Give the path of every link, all of which stay inside the file."""
    paths: list[bytes] = []

    def look(path: bytes, info: h5l.LinkInfo) -> ConversionError | None:
        # Returned, not raised: h5py stops at the first value that is not None; it loses errors.
        paths.append(path)
        if len(paths) > limits.hdf5_objects:
            return ConversionError(
                "model.too_large",
                "The file holds too many objects.",
                expected=f"at most {limits.hdf5_objects}",
                where=name,
            )
        if info.type != h5l.TYPE_HARD:
            where = path.decode(errors="replace")
            return external(where, "a soft, external or user-defined link")
        return None

    found = file.id.links.visit(look, info=True)
    if found is not None:
        raise found
    return paths


def external(path: str, what: str) -> ConversionError:
    """Refuse what points out of, or around inside, the file."""
    return ConversionError(
        "model.external_link",
        f"The file holds {what}, which Potluck never follows.",
        expected="plain groups and datasets",
        got=path,
        hint="Save the model again with Keras.",
        where=path,
    )


def texts(item: h5py.Group, name: str, limits: Limits) -> list[str]:
    """Read a list-of-names attribute, in one piece or in Keras's numbered chunks."""
    if name in item.attrs:
        return _texts(item, name)
    found: list[str] = []
    chunk = 0
    while f"{name}{chunk}" in item.attrs:
        found += _texts(item, f"{name}{chunk}")
        chunk += 1
        if len(found) > limits.hdf5_objects:
            raise ConversionError("model.too_large", "The file lists too many names.", where=name)
    return found


def _texts(item: h5py.Group, name: str) -> list[str]:
    attribute = item.attrs.get_id(name)
    if prod(attribute.shape) > _ATTRIBUTE_ITEMS:
        raise ConversionError("model.too_large", "The file lists too many names.", where=name)
    values = np.atleast_1d(item.attrs[name])
    return [decoded(value, name) for value in values.tolist()] if values.size else []


def text(item: h5py.Group, name: str) -> str | None:
    """Read a text attribute, or None where it is absent."""
    if name not in item.attrs:
        return None
    if prod(item.attrs.get_id(name).shape) != 1:
        raise ConversionError("model.unreadable", f"{name} is not one text.", where=name)
    value = item.attrs[name]
    return decoded(value.item() if isinstance(value, np.ndarray | np.generic) else value, name)


def decoded(value: object, where: str) -> str:
    """Insist on text."""
    if isinstance(value, bytes):
        value = value.decode(errors="surrogateescape")  # as h5py decodes the other kind of text
    if not isinstance(value, str):
        raise ConversionError(
            "model.unreadable",
            f"{where} is not text.",
            expected="text",
            got=type(value).__name__,
            where=where,
        )
    check_sayable(value, where)
    return value


def group(parent: h5py.Group, name: str) -> h5py.Group:
    """Open a child group; raises `model.weights_mismatch` where it is missing."""
    child = parent.get(name)
    if not isinstance(child, h5py.Group):
        raise _missing(f"{parent.name}/{name}")
    return child


def _missing(path: str) -> ConversionError:
    return ConversionError(
        "model.weights_mismatch",
        "The file names weights that it does not hold.",
        expected="a dataset for each name",
        got=path,
        hint="Save the model again.",
        where=path,
    )


def floats(parent: h5py.Group, path: str, spec: WeightSpec, where: str) -> NDArray[np.float32]:
    """Read one dataset of the expected shape as float32; raises ConversionError before reading."""
    shape = spec.shape
    data = parent.get(path)
    if not isinstance(data, h5py.Dataset):
        raise _missing(path)
    if data.is_virtual or data.external:
        raise external(where, "a dataset stored outside of it")
    whole = spec.count and data.dtype.kind in "iu" and data.dtype.itemsize <= 8
    # NumPy has no bfloat16: Keras writes the two bytes as they are.
    brain = data.dtype.kind == "V" and data.dtype.itemsize == 2 and data.dtype.names is None
    if not (whole or brain) and (data.dtype.kind != "f" or data.dtype.itemsize not in (2, 4, 8)):
        raise ConversionError(
            "model.weights_mismatch",
            f"The weight {where} does not hold floating-point numbers.",
            expected="float16, bfloat16, float32 or float64",
            got=str(data.dtype),
            where=where,
        )
    if data.shape != shape and not (shape == () and data.shape == (1,)):
        raise ConversionError(
            "model.weights_mismatch",
            f"The weight {where} has a shape that its layer does not.",
            expected=str(shape),
            got=str(data.shape),
            hint="The architecture and the weights are of different models; save again.",
            where=where,
        )
    if brain:
        halves = np.frombuffer(np.asarray(data[()]).tobytes(), "<u2").astype("<u4")
        return (halves << 16).view("<f4").reshape(shape)
    with np.errstate(over="ignore"):  # what float32 cannot hold is said by the model's warnings
        return np.asarray(data[()], dtype=np.float32, order="C").reshape(shape)
