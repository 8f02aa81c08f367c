"""Words in data that can be said again: labels in UTF-8, and columns that people can read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.core.errors import BadDataset, BadInput
from potluck_coordinator.core.names import check_name
from potluck_coordinator.pipeline.dataset import Dataset

MOST_CHARACTERS = 500
_LINES = str.maketrans("\r\n\t", "   ")


def check_characters(array: NDArray[Any], name: str, filename: str) -> None:
    """Refuse text that no UTF-8 can hold, or with NUL inside of it.

    Args:
        array: Text of any shape, in this machine's byte order.
        name: The array's name.
        filename: The file's name.

    Raises:
        BadDataset: `dataset.not_text`.
    """
    if array.dtype.itemsize == 0 or array.size == 0:
        return
    points = np.ascontiguousarray(array).view(np.uint32).reshape(array.size, -1)
    bad = ((points >= 0xD800) & (points <= 0xDFFF)) | (points > 0x10FFFF)
    # NumPy fills up with NUL at the end; one before a character is part of the text.
    bad[:, :-1] |= (points[:, :-1] == 0) & (points[:, 1:] != 0)
    if not bad.any():
        return
    row, place = divmod(int(bad.argmax()), points.shape[1])
    raise BadDataset(
        "dataset.not_text",
        f"The array {name!r} holds text that cannot be kept.",
        expected="text of whole characters and without NUL",
        got=f"U+{int(points[row, place]):04X} in value {row}",
        hint="Decode the text again from where it came; "
        "errors='surrogateescape' leaves halves of characters in it.",
        where=f"{filename}, {name}",
    )


def check_columns(dataset: Dataset, filename: str) -> None:
    """Refuse names of columns that nobody could read or tell apart. Line ends in them are read.

    Args:
        dataset: An upload.
        filename: Its file's name.

    Raises:
        BadDataset: `dataset.column_name`.
    """
    for number, name in enumerate(dataset.columns, 1):
        try:
            check_name(name.translate(_LINES), of="a column", most=MOST_CHARACTERS)
        except BadInput as error:
            raise BadDataset(
                "dataset.column_name",
                error.message,
                expected=error.expected,
                got=error.got,
                hint="Rename the column.",
                where=f"{filename}, column {number}",
            ) from None
