"""What reading a dataset takes in memory, from its bytes alone: nothing is unfolded for it."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePath
from typing import IO

from potluck_converter.readers.zip_directory import DirectoryTooLarge, open_zip
from potluck_coordinator.core.turns import WORKER_LEAST

TIMES_UNPACKED = 4
"""Arrays as they come, in float64, without what is missing, and one for each use."""
TIMES_TEXT = 8
"""A table's text as bytes, as letters of up to 4 bytes, and as it is cut."""
PER_CELL = 32
PIECE = 1 << 20


def reading_memory(path: Path, filename: str) -> int:
    """Estimate the bytes that a worker takes to read a dataset's file, and to profile it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if PurePath(filename).suffix.lower() == ".npz":
            return WORKER_LEAST + size + TIMES_UNPACKED * max(size, _unpacked(file))
        return WORKER_LEAST + TIMES_TEXT * size + PER_CELL * _cells(file)


def _unpacked(file: IO[bytes]) -> int:
    try:
        with open_zip(file) as archive:
            return sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, DirectoryTooLarge, ValueError, NotImplementedError, OSError):
        return 0  # refused by the reader, which says why


def _cells(file: IO[bytes]) -> int:
    """Count what may part cells; the reader itself finds out which mark does."""
    marks = {b",": 0, b";": 0, b"\t": 0}
    lines = 1
    while piece := file.read(PIECE):
        lines += piece.count(b"\n")
        for mark in marks:
            marks[mark] += piece.count(mark)
    return lines + max(marks.values())
