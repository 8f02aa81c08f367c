"""Row numbers as they are kept: JSON text, written once and read only where rows are needed.

Folds name every row many times over. As numbers in Python they would take ten times the memory,
and seconds to copy; as text they pass from the worker that parts the rows to the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

AT_ONCE = 65_536


@dataclass(frozen=True)
class RowNumbers:
    """Row numbers, in their order, as a JSON array.

    Example: `RowNumbers.of([3, 4])` has the text `[3,4]`, and a length of 2.
    """

    text: str

    @classmethod
    def of(cls, numbers: Iterable[int]) -> RowNumbers:
        """Write numbers, some at a time.

        Args:
            numbers: Whole numbers of Python's.
        """
        left = map(str, numbers)
        written = iter(lambda: ",".join(islice(left, AT_ONCE)), "")
        return cls(f"[{','.join(written)}]")

    def numbers(self) -> list[int]:
        """Read the numbers."""
        found: list[int] = json.loads(self.text)
        return found

    def __len__(self) -> int:
        """Count the numbers, without reading them."""
        return 0 if self.text == "[]" else self.text.count(",") + 1


NO_ROWS = RowNumbers("[]")


@dataclass(frozen=True)
class PartRows:
    """The numbers of a part's training rows, and of the rows that score them."""

    part: int
    train_rows: RowNumbers
    held_rows: RowNumbers


def hash_of_rows(*rows: RowNumbers) -> str:
    """Hash row numbers as the ledger names splits: by their canonical JSON.

    Args:
        rows: One: the hash of its array. More: of the array of their arrays.
    """
    first, *others = (one.text for one in rows)
    text = f"[{','.join([first, *others])}]" if others else first
    return sha256(text.encode()).hexdigest()
