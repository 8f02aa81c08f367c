"""The built web client, and the headers that keep it to itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException

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
NOT_BUILT = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Potluck</title>"
    "<h1>The pages are not built</h1><p>The coordinator runs, but its pages are missing. "
    "Run <code>make setup</code> in a clone, or install a released wheel."
)

router = APIRouter()


@router.get("/{path:path}", include_in_schema=False)
async def page(path: str) -> Response:
    """Give a built file, or the app for any address that is a page."""
    if path.startswith("api/"):
        raise HTTPException(404, "There is no such address.")
    wanted = (STATIC / path).resolve()
    if path and wanted.is_file() and wanted.is_relative_to(STATIC.resolve()):
        immutable = path.startswith("assets/")
        cache = "public, max-age=31536000, immutable" if immutable else "no-cache"
        return FileResponse(wanted, headers={"Cache-Control": cache})
    if "." in path.rsplit("/", 1)[-1]:
        raise HTTPException(404, "There is no such file.")
    index = STATIC / "index.html"
    if not index.is_file():
        return HTMLResponse(NOT_BUILT, 503)
    return FileResponse(index, headers={"Cache-Control": "no-cache"})


def add_security_headers(app: FastAPI) -> None:
    """Send the headers of DESIGN.md's web security with every answer."""

    @app.middleware("http")
    async def secure(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        worker = request.url.path.startswith("/assets/worker")
        headers = response.headers
        headers.setdefault("Content-Security-Policy", WORKER_CSP if worker else PAGE_CSP)
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Embedder-Policy", "require-corp")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        return response
