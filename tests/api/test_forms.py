"""Uploads' forms: in UTF-8, of few parts, and with their files on the disk, not in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.testclient import TestClient

from potluck_coordinator.api import form_parts
from potluck_coordinator.api.form_parts import (
    FIELD_BYTES,
    MOST_FIELDS,
    MOST_FILES,
    PART_HEAD_BYTES,
)
from potluck_coordinator.api.forms import HELD, new_store, read_form
from tests.api.conftest import stored_files
from tests.api.test_bad_input import assert_refused

KIND = "multipart/form-data; boundary=x"
ADDRESSES = ("/api/v1/datasets", "/api/v1/models")
TABLE = b"a,b\n1,2\n3,4\n"


def part(name: str, content: bytes, filename: str | None = None, *headers: str) -> bytes:
    """Write a form's part."""
    file = "" if filename is None else f'; filename="{filename}"'
    lines = [f'Content-Disposition: form-data; name="{name}"{file}', *headers]
    return b"--x\r\n" + "\r\n".join([*lines, "", ""]).encode() + content + b"\r\n"


def post(client: TestClient, address: str, body: bytes, kind: str = KIND) -> Any:
    return client.post(address, content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize("codec", ["punycode", "idna", "utf-16", "latin-1", "unicode_escape", ""])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_form_in_another_codec_is_refused(client: TestClient, address: str, codec: str) -> None:
    before = stored_files(client)
    form = part("name", b"a" * 9000) + part("file", TABLE, "a.csv") + b"--x--\r\n"
    assert_refused(post(client, address, form, f"{KIND}; charset={codec}"), "request.form")
    own = part("name", b"a", None, f"Content-Type: text/plain; charset={codec}")
    assert_refused(post(client, address, own + form), "request.form")
    assert stored_files(client) == before


def test_a_form_that_says_that_it_is_utf8_is_taken(client: TestClient) -> None:
    form = part("name", "Schätze".encode()) + part("file", TABLE, "ä.csv") + b"--x--\r\n"
    made = post(client, ADDRESSES[0], form, f"{KIND}; charset=UTF-8")
    assert made.status_code == 201, made.text
    assert made.json()["name"] == "Schätze"
    assert client.delete(f"/api/v1/datasets/{made.json()['id']}").status_code == 204


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/mixed; boundary=x",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 300}",
        f'{KIND}; a="{";" * 10_000}',
        "",
    ],
)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_body_that_is_no_form_is_not_read(client: TestClient, address: str, kind: str) -> None:
    assert_refused(post(client, address, b"file=%41" * 1000, kind), "request.form")


FORMS = {
    "nothing": b"",
    "no parts": b"abc",
    "a part without a name": b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
    "a part without headers": b"--x\r\n\r\na\r\n--x--\r\n",
    "many fields": part("a", b"1") * (MOST_FIELDS + 1) + b"--x--\r\n",
    "many files": part("files", b"", "a") * (MOST_FILES + 1) + b"--x--\r\n",
    "a long field": part("name", b"a" * (FIELD_BYTES + 1)) + b"--x--\r\n",
    "a long header": part("name", b"a", None, "X-Long: " + "a" * PART_HEAD_BYTES) + b"--x--\r\n",
    "many headers": part("name", b"a", None, *["X: a"] * PART_HEAD_BYTES) + b"--x--\r\n",
}


@pytest.mark.parametrize("what", FORMS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_form_of_another_make_is_refused(client: TestClient, address: str, what: str) -> None:
    before = stored_files(client)
    answer = post(client, address, FORMS[what])
    if what in ("nothing",):
        assert_refused(answer, "request.invalid", 422)  # the file is missing
    else:
        assert_refused(answer, "request.form")
    assert stored_files(client) == before


def test_a_form_whose_words_are_no_utf8_is_refused(client: TestClient) -> None:
    file = part("file", TABLE, "a.csv")
    for form in (
        part("name", b"\xff") + file,
        file.replace(b"a.csv", b"\xff.csv"),
        file.replace(b'"file"', b'"\xff"'),
    ):
        assert_refused(post(client, ADDRESSES[0], form + b"--x--\r\n"), "request.unsayable")


def read(pieces: list[bytes]) -> tuple[dict[str, Any], int]:
    """Read a form; give what its parts hold, and the most bytes that waited in memory."""
    most = 0

    async def body() -> AsyncIterator[dict[str, Any]]:
        for i, piece in enumerate(pieces):
            yield {"type": "http.request", "body": piece, "more_body": i + 1 < len(pieces)}

    async def scenario() -> dict[str, Any]:
        messages = body()
        headers = [(b"content-type", KIND.encode())]
        request = Request({"type": "http", "headers": headers}, messages.__anext__)
        with new_store() as stored:
            form = await read_form(request, stored)
            found: dict[str, Any] = {}
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    content = b""
                    while more := await value.read(1000):
                        content += more
                    await value.seek(0)
                    assert await value.read() == content
                    found[f"{name} {value.filename}"] = (content, value.size)
                else:
                    found[name] = value
            return found

    write = form_parts._write

    def counted(file: Any, content: bytearray) -> None:
        nonlocal most
        most = max(most, len(content))
        write(file, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(form_parts, "_write", counted)
        return asyncio.run(scenario()), most


@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 30])
def test_files_are_read_as_they_were_sent(step: int) -> None:
    first, second = b"\r\n--\r\n-x" * 100, bytes(range(256)) * 20
    body = part("files", first, "a") + part("name", b"b") + part("files", second, "c") + b"--x--"
    found, _ = read([body[i : i + step] for i in range(0, len(body), step)])
    assert found == {
        "files a": (first, len(first)),
        "name": "b",
        "files c": (second, len(second)),
    }


def test_a_large_file_waits_on_the_disk() -> None:
    piece, count = b"a" * 10_000, 400
    head = part("file", b"", "a").removesuffix(b"\r\n")
    found, most = read([head, *[piece] * count, b"\r\n--x--\r\n"])
    assert found["file a"][1] == len(piece) * count
    assert most < HELD + 2 * len(piece)


def test_a_disk_of_temporary_files_that_is_full_is_told(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: object, _content: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(form_parts, "_write", full)
    answer = post(client, ADDRESSES[0], part("file", TABLE, "a.csv") + b"--x--\r\n")
    assert_refused(answer, "disk.full", 507)
