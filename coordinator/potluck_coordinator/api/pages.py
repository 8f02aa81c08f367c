"""The built web client, and the headers that keep it to itself."""

from __future__ import annotations

import re
from mimetypes import guess_type
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from potluck_coordinator.api.body_limits import API
from potluck_coordinator.api.compression import reads_gzip
from potluck_coordinator.api.deps import get_anybody, get_site
from potluck_coordinator.api.hosts import name_of
from potluck_coordinator.api.plain_words import is_sayable
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.services import models, views

STATIC = Path(__file__).parent.parent / "static"

PAGE_CSP = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# TF.js starts its WASM threads as blob workers; only the engine's own response may allow that.
WORKER_CSP = PAGE_CSP.replace("worker-src 'self'", "worker-src 'self' blob:").replace(
    "script-src 'self'", "script-src 'self' blob:"
)
MOST_PARTS = 3
"""Folders of a built file's address, and its name."""
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,119}")
NOT_BUILT = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Potluck</title>"
    "<h1>The pages are not built</h1><p>The coordinator runs, but its pages are missing. "
    "Run <code>make setup</code> in a clone, or install a released wheel."
)

NOT_FOUND = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Not found · Potluck</title>"
    "<link rel=icon href=/logo.svg>"
    "<h1>Nothing at this address</h1><p>It may have been cut short on its way to you. "
    "<a href=/>Potluck's first page</a>"
)

# The addresses of the client's own table (`App.svelte`), beside those of one study or one model.
PAGES = {
    (),
    ("studies",),
    ("studies", "new"),
    ("models",),
    ("datasets",),
    ("donate",),
    ("account",),
    ("admin",),
}

router = APIRouter()


@router.get("/{path:path}", include_in_schema=False)
async def page(path: str, request: Request) -> Response:
    """Give a built file, or the app: with 404 where the address is no page, or names nothing.

    A program that asks for what is no page (`/metrics`) gets an error in JSON, a person the app.
    """
    person = "text/html" in request.headers.get("accept", "")
    if not is_sayable(request.scope) and person:
        return HTMLResponse(NOT_FOUND, 404)  # the client itself could not read such an address
    if path.startswith("api/") or not is_sayable(request.scope):
        raise HTTPException(404, "There is no such address.")
    wanted = _built(path)
    if wanted is not None:
        immutable = path.startswith("assets/")
        cache = "public, max-age=31536000, immutable" if immutable else "no-cache"
        return _file(wanted, request, 200, cache)
    if "." in path.rsplit("/", 1)[-1]:
        raise HTTPException(404, "There is no such file.")
    index = STATIC / "index.html"
    if not index.is_file():
        return HTMLResponse(NOT_BUILT, 503)
    status = 200 if await _is_page(path, request) else 404
    if status == 404 and not person and not _may_be_page(path):
        raise HTTPException(404, "There is no such address.")
    return _file(index, request, status, "no-cache")


def _file(wanted: Path, request: Request, status: int, cache: str) -> FileResponse:
    """Give a built file, as gzip where the build packed it and the asker reads that."""
    headers = {"Cache-Control": cache, "Vary": "Accept-Encoding"}
    kind = guess_type(wanted.name)[0]
    packed = wanted.with_name(wanted.name + ".gz")
    # A part of a packed file would be a part of other bytes than those that were asked for.
    plain = "range" in request.headers or not reads_gzip(request.headers.get("accept-encoding", ""))
    if plain or not packed.is_file():
        return FileResponse(wanted, status, headers, kind)
    return FileResponse(packed, status, {**headers, "Content-Encoding": "gzip"}, kind)


async def _is_page(path: str, request: Request) -> bool:
    """Say whether an address is a page, and what it names is there for the asker."""
    parts = tuple(part for part in path.split("/") if part)
    if parts in PAGES or (len(parts) == 2 and parts[0] == "join"):
        return True  # whether a group's code is right is for its page to ask
    site, asker = get_site(request), await get_anybody(request)
    if asker.role == "donor":
        return False
    try:
        match parts:
            case ("studies", study_id):
                await views.must_see(site, asker, study_id)
            case ("models", model_id):
                await models.get_model(site, asker, model_id)
            case _:
                return False
    except NotFound:
        return False
    return True


def _may_be_page(path: str) -> bool:
    """Say whether an address is that of a study's or a model's page, there or not."""
    parts = [part for part in path.split("/") if part]
    return len(parts) == 2 and parts[0] in ("studies", "models")


def _built(path: str) -> Path | None:
    """Find the built file of an address. Nothing else ever reaches the file system."""
    parts = path.split("/", MOST_PARTS)
    if len(parts) > MOST_PARTS or not all(_FILE.fullmatch(part) for part in parts):
        return None
    wanted = STATIC.joinpath(*parts)
    return wanted if wanted.is_file() else None


UNUSED = (
    "accelerometer",
    "autoplay",
    "camera",
    "clipboard-read",
    "clipboard-write",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "serial",
    "sync-xhr",
    "usb",
    "xr-spatial-tracking",
)
"""What browsers can do, and no page of ours asks for."""
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": ", ".join(
        ["screen-wake-lock=(self)", *(f"{feature}=()" for feature in UNUSED)]
    ),
}
HSTS = "max-age=31536000"


def _is_this_machine(scope: Scope) -> bool:
    """Say whether a name means any program here: one's HSTS would cut all others off."""
    return name_of(Headers(scope=scope).get("host", "")) in ("localhost", "127.0.0.1", "::1")


class SecurityHeaders:
    """Send the headers of web security with every answer. Goes around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        worker = scope["path"].startswith("/assets/worker")
        personal = scope["path"].startswith(f"{API}/")
        secure = scope["scheme"] == "https" and not _is_this_machine(scope)

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", WORKER_CSP if worker else PAGE_CSP)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if personal:
                    headers.setdefault("Cache-Control", "no-store")
                if secure:
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        await self._app(scope, receive, secured)
