"""Forms with files in them: read piece by piece into one file, and no larger than a route needs."""

from __future__ import annotations

import asyncio
from io import FileIO
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile

from potluck_coordinator.core.errors import BadInput, NoRoom
from potluck_coordinator.core.text import decoded

MOST_FIELDS = 8
"""Texts of a form. Routes know one, the name."""
MOST_FILES = 1000
"""Files of a form; a model in TF.js files has one for every 4 MB."""
FIELD_BYTES = 16 * 1024
PART_HEAD_BYTES = 4 * 1024
"""The headers of a form's part."""
LONGEST_KIND = 512
"""Bytes of a Content-Type."""
HELD = 64 * 1024
"""Bytes of files that wait in memory to be written."""
UTF8 = (b"utf-8", b"utf8", b"us-ascii")
WORDS = "The form"


class FormRequest(Request):
    """A request whose form was read: whoever asks for it gets that one."""

    def __init__(self, request: Request, form: FormData) -> None:
        """Go on with a request.

        Args:
            request: Whose body was read.
            form: What it held.
        """
        super().__init__(request.scope, request.receive)
        self._read = form

    async def form(self, **_limits: Any) -> FormData:  # type: ignore[override]
        """Give the form."""
        return self._read


async def read_form(request: Request, stored: FileIO) -> FormData:
    """Read a form of files and a few texts. The files lie in `stored`, one after the other.

    Args:
        request: Its body is read here.
        stored: An empty file, which lives as long as the form is used.

    Raises:
        BadInput: `request.form` for what is no such form, or one of more parts than are taken;
            `request.unsayable` for text that is no UTF-8.
        NoRoom: `disk.full` where the disk of temporary files takes no more.
    """
    parts = _Parts(stored)
    parser = _parser(request.headers.get("content-type", ""), parts)
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            if len(parts.waiting) >= HELD:
                await parts.write()
        parser.finalize()
    except FormParserError:
        raise _bad("a form that is written as one", "another text") from None
    await parts.write()
    return FormData(parts.found)


def new_store() -> FileIO:
    """Open a file for a form's files, which has no name and goes when it is closed."""
    return TemporaryFile(prefix="potluck-form-", buffering=0)


def _parser(kind: str, parts: _Parts) -> MultipartParser:
    if len(kind) > LONGEST_KIND:
        raise _bad(f"a Content-Type of at most {LONGEST_KIND} characters", f"{len(kind)}")
    name, options = parse_options_header(kind)
    if name != b"multipart/form-data":
        raise _bad("Content-Type: multipart/form-data", _shown(name) or "none")
    _must_be_utf8(options)
    try:
        return MultipartParser(
            options.get(b"boundary", b""),
            {
                "on_part_begin": parts.begin,
                "on_part_data": parts.data,
                "on_part_end": parts.end,
                "on_header_field": parts.header_name,
                "on_header_value": parts.header_value,
                "on_header_end": parts.header_end,
                "on_headers_finished": parts.headers_end,
            },
        )
    except FormParserError:
        raise _bad("a boundary that forms can have", "another") from None


def _must_be_utf8(options: dict[bytes, bytes]) -> None:
    charset = options.get(b"charset", UTF8[0])
    if charset.lower() not in UTF8:
        raise _bad("charset=utf-8, or none", _shown(charset))


def _bad(expected: str, got: str) -> BadInput:
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


def _shown(word: bytes) -> str:
    return word[:40].decode("ascii", "replace")


class _Parts:
    """What the parser calls: it keeps texts, and writes files away."""

    def __init__(self, stored: FileIO) -> None:
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
        """Write what waits, beside the event loop."""
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
        self._headers, self._head_bytes = [], 0
        self._header = (bytearray(), bytearray())
        self._text = bytearray()
        self._begin = self._reached

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._extend(0, data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._extend(1, data[start:end])

    def _extend(self, which: int, more: bytes) -> None:
        self._head_bytes += len(more)
        if self._head_bytes > PART_HEAD_BYTES:
            raise _bad(f"at most {PART_HEAD_BYTES:,} bytes of headers of a part", "more")
        self._header[which].extend(more)

    def header_end(self) -> None:
        name, value = self._header
        self._headers.append((bytes(name).lower(), bytes(value)))
        self._header = (bytearray(), bytearray())

    def headers_end(self) -> None:
        told = dict(self._headers)
        _, options = parse_options_header(told.get(b"content-disposition"))
        if b"name" not in options:
            raise _bad("a name for each part", "none")
        self._name = decoded(options[b"name"], WORDS)
        filename = options.get(b"filename")
        self._filename = None if filename is None else decoded(filename, WORDS)
        if filename is None:
            self._texts += 1
            _must_be_utf8(parse_options_header(told.get(b"content-type"))[1])
        if self._texts > MOST_FIELDS:
            raise _bad(f"at most {MOST_FIELDS} fields beside the files", "more")
        if len(self.found) - self._texts >= MOST_FILES:
            raise _bad(f"at most {MOST_FILES:,} files", "more")

    def data(self, data: bytes, start: int, end: int) -> None:
        more = data[start:end]
        if self._filename is not None:
            self.waiting += more
            self._reached += len(more)
        elif len(self._text) + len(more) > FIELD_BYTES:
            raise _bad(f"at most {FIELD_BYTES:,} bytes of a field", "more")
        else:
            self._text += more

    def end(self) -> None:
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
