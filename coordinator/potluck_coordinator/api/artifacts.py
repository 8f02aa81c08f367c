"""Bytes by hash: for a lease its own, for a session what it may see, and else nothing."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from potluck_coordinator.api.coming import coming, counted
from potluck_coordinator.api.compression import KIND, SAMPLE_BYTES, streamed, whole
from potluck_coordinator.api.deps import TheAsker, TheSite, check_origin
from potluck_coordinator.api.ranges import asked_range
from potluck_coordinator.core.errors import BadResult, NotFound, TooLarge
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.services import lease_uploads, rights
from potluck_coordinator.services.challenges import brought
from potluck_coordinator.services.device_checks import MOST_BYTES
from potluck_coordinator.services.site import Site

router = APIRouter()

LeaseToken = Annotated[str, Header(alias="X-Potluck-Lease")]
INFLATED = 1 << 20
HELD = 1 << 20
"""Bytes that are read at once; what is more goes through piece by piece."""


def _headers(sha: str) -> dict[str, str]:
    return {
        "Cache-Control": "private, max-age=31536000, immutable",
        "ETag": f'"{sha}"',
        "Accept-Ranges": "bytes",
    }


async def _serve(site: Site, request: Request, sha: str) -> Response:
    headers = _headers(sha)
    if request.headers.get("if-none-match", "").removeprefix("W/") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    size = await site.artifacts.size(sha)
    asked = asked_range(request.headers.get("range"), size)
    if asked is not None and asked[0] >= asked[1]:
        asked = None
    if asked is None and size <= HELD:
        return await whole(request, await site.artifacts.get(sha), headers)
    if asked is None:
        sample = await site.artifacts.get_range(sha, 0, SAMPLE_BYTES)
        return await streamed(request, sample, size, await site.artifacts.stream(sha), headers)
    start, end = asked
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    if end - start <= HELD:
        content = await site.artifacts.get_range(sha, start, end)
        return Response(content, 206, media_type=KIND, headers=headers)
    headers["Content-Length"] = str(end - start)
    pieces = await site.artifacts.stream(sha, start=start, end=end)
    return StreamingResponse(pieces, 206, headers, KIND)


@router.get("/donor/artifacts/{sha}", tags=["donor"], response_class=Response)
async def get_for_lease(
    site: TheSite, request: Request, sha: str, token: LeaseToken = ""
) -> Response:
    """Give a lease one of its unit's three artifacts."""
    if (known := site.device_checks.blob(token, sha)) is not None:
        return Response(known, media_type=KIND, headers=_headers(sha))
    await rights.lease_reads(site, token, sha)
    return await _serve(site, request, sha)


@router.put("/donor/artifacts/{sha}", tags=["donor"], status_code=204)
async def put_for_lease(site: TheSite, request: Request, sha: str, token: LeaseToken = "") -> None:
    """Take a lease's state; the SHA-256 of the (decompressed) bytes must be the name."""
    check_origin(request)
    if site.device_checks.takes(token):
        site.device_checks.keep(token, await _small(request, MOST_BYTES))
        return
    lease, unit = await lease_uploads.lease_writes(site, token, sha)
    body = _unfolded(request, unit.upload_bytes)
    with site.artifacts.naming():
        _, size = await site.artifacts.put_stream(body, unit.upload_bytes, expected=sha)
        await lease_uploads.note(site, lease.id, sha, size)
    if lease.state == LeaseState.COMPLETED:
        await brought(site, lease.id)


def _unfolded(request: Request, most: int) -> AsyncIterator[bytes]:
    """Give a body piece by piece, zipped or not, and count what it becomes."""
    coming(request).most = most
    body: AsyncIterator[bytes] = request.stream()
    if request.headers.get("content-encoding") == "gzip":
        body = _inflate(body, most)
    return counted(body, coming(request))


async def _small(request: Request, most: int) -> bytes:
    """Read a body of a few bytes, zipped or not. Raises TooLarge."""
    found = b""
    async for piece in _unfolded(request, most):
        found += piece
        if len(found) > most:
            raise _too_large(most)
    return found


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        "size.upload",
        "The upload is larger than its unit allows.",
        expected=f"at most {limit} bytes",
        got="more",
    )


async def _inflate(body: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Unzip a stream piece by piece: what it would become is never held beyond the limit."""
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    total = 0
    async for piece in body:
        rest = piece
        while rest:
            try:
                data = unzip.decompress(rest, INFLATED)
            except zlib.error as error:
                raise BadResult(
                    "result.encoding", "The body is not gzip.", expected="gzip", got=str(error)
                ) from error
            rest = unzip.unconsumed_tail
            total += len(data)
            if total > limit:
                raise _too_large(limit)
            if data:
                yield data
            if unzip.eof:
                return


@router.get("/artifacts/{sha}", tags=["studies"], response_class=Response)
async def get_for_session(site: TheSite, asker: TheAsker, request: Request, sha: str) -> Response:
    """Give an artifact of a study that you may see."""
    if len(sha) != 64:
        raise NotFound("artifact.not_found", "There is no such artifact.", got=sha[:64])
    await rights.session_reads(site, asker, sha)
    return await _serve(site, request, sha)
