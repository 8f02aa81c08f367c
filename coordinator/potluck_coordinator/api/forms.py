"""Forms with files in them: read piece by piece into one file, and no larger than a route needs."""

from __future__ import annotations

from io import FileIO
from tempfile import TemporaryFile
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import FormData

from potluck_coordinator.api.form_parts import Parts, bad_form, must_be_utf8, shown_word

HELD = 64 * 1024
"""Bytes of files that wait in memory to be written."""
LONGEST_KIND = 512
"""Bytes of a Content-Type."""


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
    parts = Parts(stored)
    parser = _parser(request.headers.get("content-type", ""), parts)
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            if len(parts.waiting) >= HELD:
                await parts.write()
        parser.finalize()
    except FormParserError:
        raise bad_form("a form that is written as one", "another text") from None
    await parts.write()
    return FormData(parts.found)


def new_store() -> FileIO:
    """Open a file for a form's files, which has no name and goes when it is closed."""
    return TemporaryFile(prefix="potluck-form-", buffering=0)


def _parser(kind: str, parts: Parts) -> MultipartParser:
    if len(kind) > LONGEST_KIND:
        raise bad_form(f"a Content-Type of at most {LONGEST_KIND} characters", f"{len(kind)}")
    name, options = parse_options_header(kind)
    if name != b"multipart/form-data":
        raise bad_form("Content-Type: multipart/form-data", shown_word(name) or "none")
    must_be_utf8(options)
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
        raise bad_form("a boundary that forms can have", "another") from None
