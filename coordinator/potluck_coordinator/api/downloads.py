"""Files that browsers save: written for one request, sent piece by piece, and gone afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from potluck_coordinator.api.deps import get_site, network
from potluck_coordinator.core.errors import Crowded
from potluck_coordinator.services.room import must_have_room

MOST_OPEN = 40
"""A classroom's. Each holds a file until its reader has all of it."""
NAMES = {"h5": "model.h5", "keras": "model.keras", "tfjs": "model-tfjs.zip"}


async def rendered(
    request: Request, write: Callable[[Path], Awaitable[Path]], filename: str
) -> Response:
    """Answer with the file that `write` makes in a folder, which lives as long as the answer.

    Raises Crowded `rate.downloads` where too many are being read from this network; NoRoom.
    """
    site, here = get_site(request), network(request)
    if site.downloads[here] >= MOST_OPEN:
        raise Crowded(
            "rate.downloads",
            "Too many downloads are under way from here.",
            retry_after=30.0,
            expected=f"at most {MOST_OPEN} at a time",
            got="one more",
            hint="Try again when one of them is through.",
        )
    must_have_room(site, 0)
    site.downloads[here] += 1
    scratch = TemporaryDirectory(prefix="potluck-download-")

    def end() -> None:
        site.downloads[here] -= 1
        if not site.downloads[here]:
            del site.downloads[here]
        scratch.cleanup()

    try:
        path = await write(Path(scratch.name))
    except BaseException:
        end()
        raise
    return _FromScratch(path, filename, end)


class _FromScratch(FileResponse):
    """A file in a folder that goes with the answer, also where nobody waits for the rest of it."""

    def __init__(self, path: Path, filename: str, end: Callable[[], None]) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
        super().__init__(path, media_type=_kind(filename), headers=headers)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


def _kind(filename: str) -> str:
    return "application/zip" if filename.endswith(".zip") else "application/octet-stream"
