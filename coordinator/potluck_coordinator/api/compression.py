"""Artifacts as gzip, for those who read it, where that saves something."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Mapping

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

LEAST_BYTES = 1024
SAMPLE_BYTES = 64 * 1024
WORTH = 0.95
"""Random weights hardly shrink: what keeps more than this is sent as it is."""
LEVEL = 1
GZIP_WINDOW = zlib.MAX_WBITS | 16
KIND = "application/octet-stream"


def reads_gzip(accepted: str) -> bool:
    """Say whether an Accept-Encoding header takes gzip."""
    for choice in accepted.lower().split(","):
        name, _, quality = choice.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def shrinks(sample: bytes) -> bool:
    """Say whether what begins with this sample is worth packing."""
    return len(gzip.compress(sample, LEVEL)) <= WORTH * len(sample)


async def packed_pieces(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pack a stream piece by piece: the whole of it is nowhere."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    async for piece in pieces:
        packed = await asyncio.to_thread(packer.compress, piece)
        if packed:
            yield packed
    yield packer.flush()


def pack(content: bytes) -> bytes | None:
    """Give bytes as gzip; None where that is not worth it."""
    if len(content) <= LEAST_BYTES:
        return None
    if not shrinks(content[:SAMPLE_BYTES]):
        return None
    packed = gzip.compress(content, LEVEL, mtime=0)
    return packed if len(packed) < len(content) else None


async def whole(request: Request, content: bytes, headers: Mapping[str, str]) -> Response:
    """Answer with a whole artifact, as gzip where the asker reads it. Not for a Range."""
    headers = {**headers, "Vary": "Accept-Encoding"}
    if reads_gzip(request.headers.get("accept-encoding", "")):
        packed = await asyncio.to_thread(pack, content)
        if packed is not None:
            return Response(packed, media_type=KIND, headers=_as_gzip(headers))
    return Response(content, media_type=KIND, headers=headers)


async def streamed(
    request: Request,
    sample: bytes,
    size: int,
    pieces: AsyncIterator[bytes],
    headers: Mapping[str, str],
) -> Response:
    """Do what `whole` does with a large artifact, without ever holding all of it.

    Args:
        request: The asker's.
        sample: The artifact's first bytes.
        size: Of the artifact, in bytes.
        pieces: The artifact.
        headers: Of the answer.
    """
    headers = {**headers, "Vary": "Accept-Encoding"}
    wanted = reads_gzip(request.headers.get("accept-encoding", ""))
    if wanted and await asyncio.to_thread(shrinks, sample):
        return StreamingResponse(packed_pieces(pieces), 200, _as_gzip(headers), KIND)
    return StreamingResponse(pieces, 200, {**headers, "Content-Length": str(size)}, KIND)


def _as_gzip(headers: Mapping[str, str]) -> dict[str, str]:
    changed = {**headers, "Content-Encoding": "gzip"}
    if "ETag" in changed:  # the same artifact, but not the same bytes
        changed["ETag"] = "W/" + changed["ETag"].removeprefix("W/")
    return changed
