"""How many bytes of a request's body are read: counted as they come, by the kind of address."""

from __future__ import annotations

from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from potluck_coordinator.api.errors import answer
from potluck_coordinator.core.errors import TooLarge
from potluck_coordinator.settings import Settings

API = "/api/v1"
JSON_BYTES = 1 << 20
ABORT_BYTES = 64 * 1024
FORM_OVERHEAD = 64 * 1024
"""What a form's own words may take beside the files in it."""


def limit_of(settings: Settings, method: str, path: str) -> int | None:
    """Give an address's limit in bytes; None where the handler counts by itself."""
    if path.startswith(f"{API}/donor/artifacts/"):
        return None  # a unit's own limit, which the lease tells
    if path == f"{API}/donor/abort":
        return ABORT_BYTES
    if method == "POST" and path == f"{API}/models":
        return settings.max_model_bytes + FORM_OVERHEAD
    if method == "POST" and path == f"{API}/datasets":
        return settings.max_dataset_bytes + FORM_OVERHEAD
    return JSON_BYTES


def takes_json(method: str, path: str) -> bool:
    """Say whether what is sent to an address is JSON, and no upload."""
    upload = path in (f"{API}/models", f"{API}/datasets")
    return path.startswith(f"{API}/") and not (
        path.startswith(f"{API}/donor/artifacts/") or (method == "POST" and upload)
    )


class BodyLimits:
    """Answer 413 `size.upload` when a body is, or says that it is, larger than its address takes.

    Nothing is judged before the handler asks for the body, so that whoever may not upload at all
    hears that first.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = limit_of(self._settings, scope["method"], scope["path"])
        if limit is None:
            await self._app(scope, receive, send)
            return
        counted = _Counted(limit, Headers(scope=scope), receive, send)
        with suppress(_OverLimit):  # or it became an answer on its way, which was not sent
            await self._app(scope, counted.receive, counted.send)
        if counted.over is not None and not counted.answered:
            await answer(counted.over)(scope, receive, send)


class _OverLimit(Exception):
    """Ends the handler that reads too large a body."""


class _Counted:
    def __init__(self, limit: int, headers: Headers, receive: Receive, send: Send) -> None:
        self._limit = limit
        self._declared = headers.get("content-length", "")
        self._receive = receive
        self._send = send
        self._bytes = 0
        self.over: TooLarge | None = None
        self.answered = False

    async def receive(self) -> Message:
        if self._declared.isdigit() and int(self._declared) > self._limit:
            self._refuse(f"{self._declared[:30]} bytes")
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._limit:
            self._refuse("more")
        return message

    def _refuse(self, got: str) -> None:
        if self.answered:
            return  # an answer under way is not to be broken by what nobody needs any more
        self.over = TooLarge(
            "size.upload",
            "The upload is larger than this coordinator takes.",
            expected=f"at most {self._limit} bytes",
            got=got,
        )
        raise _OverLimit

    async def send(self, message: Message) -> None:
        if self.over is not None and not self.answered:
            return  # the handler's own words about a body that was cut off
        self.answered = True
        await self._send(message)
