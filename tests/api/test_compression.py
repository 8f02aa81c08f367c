"""Artifacts travel as gzip where that saves something and the asker reads it."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator

import pytest
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.api.compression import pack, reads_gzip, streamed, whole

EVEN = b"potluck " * 1000


def answer(content: bytes, accepted: str | None) -> Response:
    headers = [] if accepted is None else [(b"accept-encoding", accepted.encode())]
    request = Request({"type": "http", "headers": headers})
    return asyncio.run(whole(request, content, {"ETag": '"abc"', "Accept-Ranges": "bytes"}))


@given(st.binary(max_size=5000), st.integers(1, 50))
def test_what_is_packed_is_smaller_and_unpacks_to_the_same(piece: bytes, times: int) -> None:
    content = piece * times
    packed = pack(content)
    if packed is not None:
        assert len(packed) < len(content)
        assert gzip.decompress(packed) == content


def test_small_and_random_bytes_are_sent_as_they_are() -> None:
    assert pack(bytes(1024)) is None
    assert pack(os.urandom(100_000)) is None
    assert pack(bytes(1025)) is not None


def test_an_asker_that_reads_gzip_gets_it() -> None:
    found = answer(EVEN, "br, gzip;q=0.5")
    assert gzip.decompress(bytes(found.body)) == EVEN
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["etag"] == 'W/"abc"'
    assert found.headers["vary"] == "Accept-Encoding"
    assert int(found.headers["content-length"]) == len(found.body) < len(EVEN)


@pytest.mark.parametrize("accepted", [None, "", "identity", "br", "gzip;q=0", "gzip; q=0.0"])
def test_an_asker_that_does_not_read_gzip_gets_plain_bytes(accepted: str | None) -> None:
    found = answer(EVEN, accepted)
    assert found.body == EVEN
    assert "content-encoding" not in found.headers
    assert found.headers["etag"] == '"abc"'
    assert not reads_gzip(accepted or "")


def _bytes(piece: object) -> bytes:
    assert isinstance(piece, bytes)
    return piece


@pytest.mark.parametrize("accepted", [None, "gzip"])
@pytest.mark.parametrize("even", [True, False], ids=["even", "random"])
def test_what_is_streamed_is_what_whole_bytes_are(accepted: str | None, even: bool) -> None:
    content = EVEN * 300 if even else os.urandom(2_000_000)

    async def scenario() -> tuple[Response, bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 1 << 20):
                yield content[start : start + (1 << 20)]

        headers = [] if accepted is None else [(b"accept-encoding", accepted.encode())]
        request = Request({"type": "http", "headers": headers})
        given_headers = {"ETag": '"abc"', "Accept-Ranges": "bytes"}
        found = await streamed(request, content[:1000], len(content), pieces(), given_headers)
        assert isinstance(found, StreamingResponse)
        return found, b"".join([_bytes(piece) async for piece in found.body_iterator])

    found, body = asyncio.run(scenario())
    known = answer(content, accepted)
    assert found.headers.get("content-encoding") == known.headers.get("content-encoding")
    assert found.headers["etag"] == known.headers["etag"]
    if "content-encoding" in found.headers:
        assert gzip.decompress(body) == content
        assert "content-length" not in found.headers
    else:
        assert body == content
        assert found.headers["content-length"] == str(len(content))
