"""How many bytes of a request's body are read: counted as they come, by the kind of address.

Here is counted, too, how many bytes of uploads come in a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from potluck_coordinator.api.coming import Coming, keep_in
from potluck_coordinator.api.errors import answer
from potluck_coordinator.core.errors import NoRoom, PotluckError, TooLarge, TooOften
from potluck_coordinator.settings import Settings

API = "/api/v1"
JSON_BYTES = 1 << 20
ABORT_BYTES = 64 * 1024
FORM_OVERHEAD = 64 * 1024
"""What a form's own words may take beside the files in it."""
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
CHANGED = (
    *("studies", "models", "datasets", "groups", "donor/groups"),
    *("account", "accounts", "tokens"),
)
MOST_DIGITS = 16
"""Of a declared size; a longer one is counted as it comes."""


def limit_of(settings: Settings, method: str, path: str) -> int | None:
    """Give an address's limit in bytes; None where the handler counts by itself."""
    if is_states(path):
        return None  # a unit's own limit, which the lease tells
    if path == f"{API}/donor/abort":
        return ABORT_BYTES
    if is_upload(method, path) and path == f"{API}/models":
        return settings.max_model_bytes + FORM_OVERHEAD
    if is_upload(method, path):
        return settings.max_dataset_bytes + FORM_OVERHEAD
    return JSON_BYTES


def takes_json(method: str, path: str) -> bool:
    """Say whether what is sent to an address is JSON, and no upload."""
    return path.startswith(f"{API}/") and not (is_states(path) or is_upload(method, path))


def is_states(path: str) -> bool:
    """Say whether an address is of what leases read and write."""
    return path.startswith(f"{API}/donor/artifacts/")


def is_upload(method: str, path: str) -> bool:
    """Say whether a request brings a model or a dataset."""
    return method == "POST" and path in (f"{API}/models", f"{API}/datasets")


def makes_material(method: str, path: str) -> bool:
    """Say whether a request lets a model or a dataset be made here: it counts as an upload."""
    return method == "POST" and (
        path.startswith(f"{API}/datasets/bundled/")
        or (path.startswith(f"{API}/models/") and path.endswith("/fitted"))
    )


def changes_things(method: str, path: str) -> bool:
    """Say whether a request makes, changes or deletes what is kept, beside what donors do.

    Args:
        method: The request's, in upper case.
        path: Where it goes.
    """
    if method not in CHANGING or path == f"{API}/studies/plan":
        return False
    return any(path == f"{API}/{one}" or path.startswith(f"{API}/{one}/") for one in CHANGED)


class BodyLimits:
    """Answer 413 `size.upload` when a body is, or says that it is, larger than its address takes.

    And 429 `rate.*` when its asker sends more bytes a minute than may be, or 507 `disk.full`:
    `charging` counts them.

    Nothing is judged before the handler asks for the body, so that whoever may not upload at all
    hears that first.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, charging: Callable[[Scope], Coming]
    ) -> None:
        self._app = app
        self._settings = settings
        self._charging = charging

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = limit_of(self._settings, scope["method"], scope["path"])
        coming = self._charging(scope)
        keep_in(scope, coming)
        counted = _Counted(limit, coming, scope, receive, send)
        with coming, suppress(_OverLimit):  # or it became an answer, which was not sent
            await self._app(scope, counted.receive, counted.send)
        if counted.over is not None and not counted.answered:
            await answer(counted.over)(scope, receive, send)


class _OverLimit(Exception):
    """Ends the handler that reads too large a body."""


class _Counted:
    def __init__(
        self, limit: int | None, coming: Coming, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._limit = limit
        self._coming = coming
        told = Headers(scope=scope).get("content-length", "")
        self._declared = int(told) if told.isdigit() and len(told) < MOST_DIGITS else None
        self._receive = receive
        self._send = send
        self._bytes = 0
        self.over: PotluckError | None = None
        self.answered = False

    async def receive(self) -> Message:
        declared = self._declared
        if declared is not None and not self._bytes:
            self._count(declared, f"{declared} bytes", lambda: self._coming.declares(declared))
        message = await self._receive()
        more = len(message.get("body", b""))
        self._bytes += more
        self._count(self._bytes, "more", lambda: self._coming.comes(self._bytes, more))
        return message

    def _count(self, size: int, told: str, charge: Callable[[], None]) -> None:
        """Hold so many bytes against the address's limit, the asker's rate and the disk's room."""
        if self.answered:
            return  # an answer under way is not to be broken by what nobody needs any more
        if self._limit is not None and size > self._limit:
            self.over = TooLarge(
                "size.upload",
                "The upload is larger than this coordinator takes.",
                expected=f"at most {self._limit} bytes",
                got=told,
            )
            raise _OverLimit
        try:
            charge()
        except (TooOften, NoRoom) as error:
            self.over = error
            raise _OverLimit from error

    async def send(self, message: Message) -> None:
        if self.over is not None and not self.answered:
            return  # the handler's own words about a body that was cut off
        self.answered = True
        await self._send(message)
