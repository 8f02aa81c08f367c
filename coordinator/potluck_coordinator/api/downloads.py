"""Files that browsers save: written for one request, sent piece by piece, and gone afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

NAMES = {"h5": "model.h5", "keras": "model.keras", "tfjs": "model-tfjs.zip"}


async def rendered(write: Callable[[Path], Awaitable[Path]], filename: str) -> Response:
    """Answer with the file that `write` makes in a folder, which lives as long as the answer."""
    scratch = TemporaryDirectory(prefix="potluck-download-")
    try:
        path = await write(Path(scratch.name))
    except BaseException:
        scratch.cleanup()
        raise
    return _FromScratch(path, filename, scratch)


class _FromScratch(FileResponse):
    """A file in a folder that goes with the answer, also where nobody waits for the rest of it."""

    def __init__(self, path: Path, filename: str, scratch: TemporaryDirectory[str]) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
        super().__init__(path, media_type=_kind(filename), headers=headers)
        self._scratch = scratch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.to_thread(self._scratch.cleanup)


def _kind(filename: str) -> str:
    return "application/zip" if filename.endswith(".zip") else "application/octet-stream"
