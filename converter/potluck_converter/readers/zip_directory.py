"""A zip archive's list of members, bounded before Python's zipfile makes objects of it."""

from __future__ import annotations

import io
import zipfile
from typing import IO

DIRECTORY_BYTES = 1 << 20
"""A member takes 46 bytes and its name: room for some thousands, where we take 64 or fewer."""


class DirectoryTooLarge(Exception):
    """The list of members is longer than any archive that we read has."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a list of members of {length:,} bytes")


def open_zip(source: IO[bytes], most: int = DIRECTORY_BYTES) -> zipfile.ZipFile:
    """Open an archive whose list of members takes at most `most` bytes.

    Raises DirectoryTooLarge before the list is read, and what zipfile raises.
    """
    bounded = _Bounded(source, most)
    archive = zipfile.ZipFile(bounded)
    bounded.most = None
    return archive


class _Bounded(io.RawIOBase):
    """A file that refuses to be read in pieces larger than `most`; None ends that."""

    def __init__(self, source: IO[bytes], most: int) -> None:
        super().__init__()
        self._source = source
        self.most: int | None = most

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """Give the place."""
        return self._source.tell()

    def read(self, size: int = -1, /) -> bytes:
        """Read so many bytes. Raises DirectoryTooLarge."""
        if self.most is not None and size > self.most:
            raise DirectoryTooLarge(size)
        return self._source.read(size)
