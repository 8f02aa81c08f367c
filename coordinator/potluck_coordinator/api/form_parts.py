"""The parts of a form as they come: short texts are kept, files go to one file on the disk."""

from __future__ import annotations

import asyncio
from io import FileIO
from typing import BinaryIO, cast

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile

from potluck_coordinator.core.errors import BadInput, NoRoom
from potluck_coordinator.core.text import decoded

MOST_FIELDS = 8
"""Texts of a form. Routes know one, the name."""
MOST_FILES = 1000
"""Files of a form; a model in TF.js files has one for every 4 MB."""
FIELD_BYTES = 16 * 1024
PART_HEAD_BYTES = 4 * 1024
"""The headers of a form's part."""
UTF8 = (b"utf-8", b"utf8", b"us-ascii")
WORDS = "The form"


def must_be_utf8(options: dict[bytes, bytes]) -> None:
    """Refuse text in another encoding. Raises BadInput `request.form`.

    Args:
        options: Of a Content-Type.
    """
    charset = options.get(b"charset", UTF8[0])
    if charset.lower() not in UTF8:
        raise bad_form("charset=utf-8, or none", shown_word(charset))


def bad_form(expected: str, got: str) -> BadInput:
    """Refuse a form.

    Args:
        expected: What would be taken.
        got: What came.
    """
    return BadInput(
        "request.form",
        "The upload is no form that this coordinator reads.",
        expected=expected,
        got=got,
        hint="See /api/openapi.json for what this address takes.",
    )


def _write(file: FileIO, content: bytearray) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def shown_word(word: bytes) -> str:
    """Give the begin of what a stranger wrote, to be told.

    Args:
        word: What it wrote.
    """
    return word[:40].decode("ascii", "replace")


class Parts:
    """What the parser calls: it keeps texts, and writes files away. `found`: what came whole."""

    def __init__(self, stored: FileIO) -> None:
        """Begin a form.

        Args:
            stored: Where its files go.
        """
        self.found: list[tuple[str, str | UploadFile]] = []
        self.waiting = bytearray()
        self._stored = stored
        self._reached = 0
        self._texts = 0
        self._begin = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._header = (bytearray(), bytearray())
        self._head_bytes = 0
        self._name = ""
        self._filename: str | None = None
        self._text = bytearray()

    async def write(self) -> None:
        """Write what waits, beside the event loop. Raises NoRoom `disk.full`."""
        if self.waiting:
            waiting, self.waiting = self.waiting, bytearray()
            try:
                await asyncio.to_thread(_write, self._stored, waiting)
            except OSError as error:
                raise NoRoom(
                    "disk.full",
                    "The coordinator has no room for this upload.",
                    expected="room on the disk of its temporary files",
                    hint="Its operator can free some, or name another folder with TMPDIR.",
                ) from error

    def begin(self) -> None:
        """Begin a part."""
        self._headers, self._head_bytes = [], 0
        self._header = (bytearray(), bytearray())
        self._text = bytearray()
        self._begin = self._reached

    def header_name(self, data: bytes, start: int, end: int) -> None:
        """Take some of a header's name."""
        self._extend(0, data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """Take some of a header's value."""
        self._extend(1, data[start:end])

    def _extend(self, which: int, more: bytes) -> None:
        self._head_bytes += len(more)
        if self._head_bytes > PART_HEAD_BYTES:
            raise bad_form(f"at most {PART_HEAD_BYTES:,} bytes of headers of a part", "more")
        self._header[which].extend(more)

    def header_end(self) -> None:
        """Take a header."""
        name, value = self._header
        self._headers.append((bytes(name).lower(), bytes(value)))
        self._header = (bytearray(), bytearray())

    def headers_end(self) -> None:
        """Learn what a part is."""
        told = dict(self._headers)
        _, options = parse_options_header(told.get(b"content-disposition"))
        if b"name" not in options:
            raise bad_form("a name for each part", "none")
        self._name = decoded(options[b"name"], WORDS)
        filename = options.get(b"filename")
        self._filename = None if filename is None else decoded(filename, WORDS)
        if filename is None:
            self._texts += 1
            must_be_utf8(parse_options_header(told.get(b"content-type"))[1])
        if self._texts > MOST_FIELDS:
            raise bad_form(f"at most {MOST_FIELDS} fields beside the files", "more")
        if len(self.found) - self._texts >= MOST_FILES:
            raise bad_form(f"at most {MOST_FILES:,} files", "more")

    def data(self, data: bytes, start: int, end: int) -> None:
        """Take some of a part."""
        more = data[start:end]
        if self._filename is not None:
            self.waiting += more
            self._reached += len(more)
        elif len(self._text) + len(more) > FIELD_BYTES:
            raise bad_form(f"at most {FIELD_BYTES:,} bytes of a field", "more")
        else:
            self._text += more

    def end(self) -> None:
        """Take a part."""
        if self._filename is None:
            self.found.append((self._name, decoded(bytes(self._text), WORDS)))
            return
        part = _Part(self._stored, self._begin, self._reached)
        upload = UploadFile(
            cast(BinaryIO, part),
            size=self._reached - self._begin,
            filename=self._filename,
            headers=Headers(raw=self._headers),
        )
        self.found.append((self._name, upload))


class _Part:
    """One of the files: some of the bytes of the file that holds them all."""

    def __init__(self, stored: FileIO, begin: int, end: int) -> None:
        self._stored = stored
        self._begin = begin
        self._at = begin
        self._end = end

    def read(self, size: int = -1) -> bytes:
        """Read on: at most `size` bytes; all that are left where it is negative."""
        left = self._end - self._at
        self._stored.seek(self._at)
        found = self._stored.read(left if size < 0 else min(size, left))
        self._at += len(found)
        return found

    def seek(self, offset: int) -> int:
        """Go to a place in it."""
        self._at = min(self._begin + max(0, offset), self._end)
        return self._at - self._begin

    def close(self) -> None:
        """Leave the bytes to whoever opened the file that holds them."""
