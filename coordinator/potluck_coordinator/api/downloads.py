"""Files that browsers save: read from where they are kept, or written for who asks just now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from potluck_coordinator.api.deps import get_site, network
from potluck_coordinator.api.ranges import asked_range
from potluck_coordinator.core.errors import Crowded, NotFound
from potluck_coordinator.core.records import Rendering
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.renderings import ModelFile, being_written, kept
from potluck_coordinator.services.room import must_have_room
from potluck_coordinator.services.site import Site

MOST_OPEN = 40
"""A classroom's. Each holds a file until its reader has all of it."""
NAMES = {"h5": "model.h5", "keras": "model.keras", "tfjs": "model-tfjs.zip"}


async def rendered(request: Request, asker: Asker, file: ModelFile) -> Response:
    """Answer with a model's file: from the store, or, written now, from where it was written.

    Args:
        request: The asker's.
        asker: Who waits for it, and may have it.
        file: What is wanted.

    Raises:
        Crowded: `rate.downloads` where too many are being read from this network.
        BadModel: A file of this format cannot hold the model.
        TooLarge: `size.memory`.
        NoRoom: `disk.full`.
    """
    site = get_site(request)
    with ExitStack() as stack:
        _count(site, network(request), stack)
        found = await kept(site, file)
        answer = None if found is None else await _from_store(site, request, found)
        if answer is None:
            writing = being_written(site, asker, file)
            stack.callback(writing.leave)
            made = await writing.wait()
            answer = _from_folder(made.path, NAMES[file.format], made.sha)
        return _Held(answer, stack.pop_all())


async def written(
    request: Request, write: Callable[[Path], Awaitable[Path]], filename: str
) -> Response:
    """Answer with a file that is written for this request alone, and gone afterwards.

    Args:
        request: The asker's.
        write: Writes it into a folder, which lives as long as the answer; gives where it is.
        filename: Under which browsers save it.

    Raises:
        Crowded: `rate.downloads`.
        NoRoom: `disk.full`.
    """
    site = get_site(request)
    with ExitStack() as stack:
        _count(site, network(request), stack)
        must_have_room(site, 0)
        folder = stack.enter_context(TemporaryDirectory(prefix="potluck-download-"))
        return _Held(_from_folder(await write(Path(folder)), filename), stack.pop_all())


def _count(site: Site, here: str, stack: ExitStack) -> None:
    """Count a download until the stack is closed."""
    if site.downloads[here] >= MOST_OPEN:
        raise Crowded(
            "rate.downloads",
            "Too many downloads are under way from here.",
            retry_after=30.0,
            expected=f"at most {MOST_OPEN} at a time",
            got="one more",
            hint="Try again when one of them is through.",
        )
    site.downloads[here] += 1

    def end() -> None:
        site.downloads[here] -= 1
        if not site.downloads[here]:
            del site.downloads[here]

    stack.callback(end)


async def _from_store(site: Site, request: Request, found: Rendering) -> Response | None:
    """Answer with a file that is kept; None where it went in this moment."""
    filename, size = NAMES[found.format], found.bytes
    headers = {**_headers(filename, found.artifact), "Accept-Ranges": "bytes"}
    if request.headers.get("if-none-match", "").removeprefix("W/") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    asked = None
    if request.headers.get("if-range", headers["ETag"]) == headers["ETag"]:
        asked = asked_range(request.headers.get("range"), size)
    start, end = asked or (0, size)
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Length"] = str(end - start)
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    try:
        pieces = await site.artifacts.stream(found.artifact, start=start, end=end)
    except NotFound:
        return None
    return StreamingResponse(pieces, 200 if asked is None else 206, headers, _kind(filename))


def _from_folder(path: Path, filename: str, sha: str | None = None) -> Response:
    return FileResponse(path, media_type=_kind(filename), headers=_headers(filename, sha))


def _headers(filename: str, sha: str | None) -> dict[str, str]:
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return headers if sha is None else {**headers, "ETag": f'"{sha}"'}


def _kind(filename: str) -> str:
    return "application/zip" if filename.endswith(".zip") else "application/octet-stream"


class _Held(Response):
    """An answer, and what goes with it, also where nobody waits for the rest of it."""

    def __init__(self, answer: Response, held: ExitStack) -> None:
        super().__init__(status_code=answer.status_code)
        self.raw_headers = answer.raw_headers
        self._answer = answer
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await self._answer(scope, receive, send)
