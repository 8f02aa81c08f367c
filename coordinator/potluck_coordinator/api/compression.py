"""Artifacts as gzip, for those who read it, where that saves something."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping

from fastapi import Request, Response

LEAST_BYTES = 1024
SAMPLE_BYTES = 64 * 1024
WORTH = 0.95
"""Random weights hardly shrink: what keeps more than this is sent as it is."""
LEVEL = 1
KIND = "application/octet-stream"


def reads_gzip(accepted: str) -> bool:
    """Say whether an Accept-Encoding header takes gzip."""
    for choice in accepted.lower().split(","):
        name, _, quality = choice.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def pack(content: bytes) -> bytes | None:
    """Give bytes as gzip; None where that is not worth it."""
    if len(content) <= LEAST_BYTES:
        return None
    sample = content[:SAMPLE_BYTES]
    if len(gzip.compress(sample, LEVEL)) > WORTH * len(sample):
        return None
    packed = gzip.compress(content, LEVEL, mtime=0)
    return packed if len(packed) < len(content) else None


async def whole(request: Request, content: bytes, headers: Mapping[str, str]) -> Response:
    """Answer with a whole artifact, as gzip where the asker reads it. Not for a Range."""
    headers = {**headers, "Vary": "Accept-Encoding"}
    if reads_gzip(request.headers.get("accept-encoding", "")):
        packed = await asyncio.to_thread(pack, content)
        if packed is not None:
            headers["Content-Encoding"] = "gzip"
            if "ETag" in headers:  # the same artifact, but not the same bytes
                headers["ETag"] = "W/" + headers["ETag"].removeprefix("W/")
            return Response(packed, media_type=KIND, headers=headers)
    return Response(content, media_type=KIND, headers=headers)
