"""Bytes that come in pieces, read as a file and hashed on their way."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable


class Pieces(io.RawIOBase):
    """Read pieces as one file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces = iter(pieces)
        self._left = b""
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Give the hash of what was read so far."""
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """Give `size` bytes, fewer at the end, all of them for a negative size."""
        found = [self._left]
        length = len(self._left)
        while size < 0 or length < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            found.append(piece)
            length += len(piece)
        content = b"".join(found)
        content, self._left = (content, b"") if size < 0 else (content[:size], content[size:])
        self._digest.update(content)
        return content
