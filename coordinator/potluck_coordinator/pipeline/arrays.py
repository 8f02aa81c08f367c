"""`.npz` archives: every member is bounded before and while it is unzipped; never unpickled."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_converter.readers.zip_directory import DirectoryTooLarge, open_zip
from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline.dataset import Array, Categorical, Column, Dataset
from potluck_coordinator.pipeline.flat_arrays import read_numbers, read_words
from potluck_coordinator.pipeline.limits import ReadLimits
from potluck_coordinator.pipeline.sayable import check_characters
from potluck_coordinator.pipeline.spelling import Spelling

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADER_BYTES = 4096
"""A plain array's header takes 118 bytes; numpy's own default allows 10,000."""
MOST_AXES = 32
LONGEST_AXIS = 2**31 - 1


def read_arrays(
    content: bytes,
    filename: str,
    limits: ReadLimits,
    spellings: Mapping[str, Spelling] | None = None,
) -> Dataset:
    """Read an `.npz` whose arrays share their first axis. Raises BadDataset (`dataset.*`).

    `spellings`: those of a plan; None finds out how words are written.
    """
    try:
        with open_zip(io.BytesIO(content)) as archive:
            members = _members(archive, filename, limits)
            arrays = {name: _array(archive, info, filename) for name, info in members.items()}
    except DirectoryTooLarge as error:
        raise _too_large(f"at most {limits.members} arrays", str(error), filename) from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        OverflowError,
        ValueError,  # also a name that is not in UTF-8
    ) as error:
        raise BadDataset(
            "dataset.not_npz",
            "The file is no whole .npz archive.",
            expected="a zip archive of .npy arrays, as numpy.savez writes it",
            got=str(error)[:200] or type(error).__name__,
            hint="Save the arrays again with numpy.savez_compressed.",
            where=filename,
        ) from None
    return _dataset(arrays, filename, limits, spellings)


def _members(
    archive: zipfile.ZipFile, filename: str, limits: ReadLimits
) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > limits.members:
        raise _too_large(f"at most {limits.members} arrays", f"{len(infos)} members", filename)
    total = sum(info.file_size for info in infos)
    if total > limits.unpacked_bytes:
        raise _too_large(
            f"at most {limits.unpacked_bytes:,} bytes unzipped", f"{total:,} bytes", filename
        )
    held = sum(info.compress_size for info in infos)
    if total > max(limits.always_bytes, limits.large_ratio * held):
        raise _too_large(
            f"{limits.always_bytes:,} bytes unzipped, or at most {limits.large_ratio} times "
            "what the archive holds",
            f"{held:,} bytes that say they become {total:,}",
            filename,
        )
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if info.file_size > limits.ratio * max(info.compress_size, 1):
            raise _too_large(
                f"members that unzip to at most {limits.ratio} times their size",
                f"{info.compress_size:,} bytes that say they become {info.file_size:,}",
                info.filename,
            )
        plain = info.filename.endswith(".npy") and name and name not in members
        if not plain or info.compress_type not in METHODS or info.flag_bits & 1:
            raise BadDataset(
                "dataset.not_npz",
                "The archive holds something other than plain arrays.",
                expected=".npy members with names of their own, stored or deflated",
                got=info.filename[:80],
                where=filename,
            )
        members[name] = info
    if not members:
        raise _no_rows(filename, "an archive without arrays")
    return members


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, filename: str) -> NDArray[Any]:
    # zipfile stops at the size that the directory states, which `_members` has bounded.
    with archive.open(info) as member:
        shape, fortran, dtype = _header(member, info.filename)
        if dtype.kind not in "biufU":
            raise BadDataset(
                "dataset.dtype",
                f"The array {info.filename!r} has a type that is not read.",
                expected="numbers, booleans or text",
                got="Python objects (pickled)" if dtype.hasobject else str(dtype),
                hint="Convert it with .astype('float32') before saving.",
                where=filename,
            )
        numbers = _numbers(shape, dtype, info, filename)
        body = member.read()
    if len(body) != numbers * dtype.itemsize:
        raise _other_length(info, f"{numbers * dtype.itemsize:,}", f"{len(body):,}", filename)
    if not body:
        return np.zeros(shape, dtype=dtype)
    array = np.frombuffer(body, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    array = array.astype(dtype.newbyteorder("="), order="C", copy=False)
    if dtype.kind == "U":
        check_characters(array, info.filename.removesuffix(".npy"), filename)
    return array


def _numbers(
    shape: tuple[int, ...], dtype: np.dtype[Any], info: zipfile.ZipInfo, filename: str
) -> int:
    """Count what a header declares, before any of it is read."""
    numbers = math.prod(shape)
    if min(shape, default=0) < 0 or max(shape, default=0) > LONGEST_AXIS or len(shape) > MOST_AXES:
        raise BadDataset(
            "dataset.not_npz",
            f"The array {info.filename!r} has a shape that no array has.",
            expected=f"at most {MOST_AXES} axes, each from 0 to {LONGEST_AXIS:,} long",
            got=f"shape {list(shape)[:8]}"[:120],
            where=filename,
        )
    if numbers and dtype.itemsize == 0:
        raise _other_length(info, "at least 1 for each word", "words of no length", filename)
    if numbers * dtype.itemsize > info.file_size:
        got = f"{info.file_size:,}, the header included,"
        raise _other_length(info, f"{numbers * dtype.itemsize:,}", got, filename)
    return numbers


def _other_length(info: zipfile.ZipInfo, expected: str, got: str, filename: str) -> BadDataset:
    return BadDataset(
        "dataset.not_npz",
        f"The array {info.filename!r} does not have the length that its header states.",
        expected=f"{expected} bytes",
        got=f"{got} bytes",
        where=filename,
    )


def _header(member: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(member)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        return read(member, max_header_size=HEADER_BYTES)
    except (ValueError, KeyError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise BadDataset(
            "dataset.not_npz",
            f"The member {name!r} is no .npy array.",
            expected="the .npy format, version 1 or 2",
            got=str(error).splitlines()[0][:120] if str(error) else type(error).__name__,
            where=name,
        ) from None


def _dataset(
    arrays: dict[str, NDArray[Any]],
    filename: str,
    limits: ReadLimits,
    spellings: Mapping[str, Spelling] | None,
) -> Dataset:
    flat = [name for name, array in arrays.items() if array.ndim == 0]
    if flat:
        raise BadDataset(
            "dataset.ragged",
            "An array has no rows: it is a single number.",
            expected="arrays whose first axis is the rows",
            got=f"{flat[0]!r} with shape []",
            where=filename,
        )
    lengths = {name: len(array) for name, array in arrays.items()}
    rows = next(iter(lengths.values()))
    if len(set(lengths.values())) > 1:
        raise BadDataset(
            "dataset.ragged",
            "The arrays have different numbers of rows.",
            expected="the same first axis everywhere",
            got=", ".join(f"{name}: {length}" for name, length in list(lengths.items())[:8]),
            where=filename,
        )
    if rows == 0:
        raise _no_rows(filename, "arrays with 0 rows")
    if rows > limits.rows:
        raise _too_large(f"at most {limits.rows:,} rows", f"{rows:,}", filename)
    read = {name: _column(name, array, filename, spellings) for name, array in arrays.items()}
    columns = {name: column for name, (column, _) in read.items()}
    said = tuple(c.note for c in columns.values() if isinstance(c, Categorical) and c.note)
    found = {name: spelling for name, (_, spelling) in read.items() if spelling is not None}
    return Dataset("arrays", rows, columns, said, found)


def _column(
    name: str,
    array: NDArray[Any],
    filename: str,
    spellings: Mapping[str, Spelling] | None,
) -> tuple[Column, Spelling | None]:
    one_a_row = array.size == len(array)
    if array.dtype.kind == "U":
        if not one_a_row:
            raise BadDataset(
                "dataset.dtype",
                f"The array {name!r} holds several words a row.",
                expected="one label a row, or numbers",
                got=f"shape {list(array.shape)}",
                where=filename,
            )
        return read_words(name, array.reshape(-1), spellings)
    if array.size == 0:
        raise BadDataset(
            "dataset.no_columns",
            f"The rows of the array {name!r} hold no numbers.",
            expected="at least one number a row",
            got=f"shape {list(array.shape)}",
            hint="Leave the array out, or look how its columns were selected.",
            where=filename,
        )
    if one_a_row and array.ndim <= 2:  # y of shape [n, 1] is a plain target
        return read_numbers(name, array.reshape(-1), spellings), None
    return Array(name, array), None


def _no_rows(filename: str, got: str) -> BadDataset:
    return BadDataset(
        "dataset.no_rows",
        "The archive holds no rows.",
        expected="at least one row",
        got=got,
        where=filename,
    )


def _too_large(expected: str, got: str, where: str) -> BadDataset:
    return BadDataset(
        "dataset.too_large",
        "The archive unfolds to more than this coordinator takes.",
        expected=expected,
        got=got,
        hint="Split the data, or save it with a smaller type.",
        where=where,
    )
