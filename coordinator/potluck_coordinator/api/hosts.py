"""Which names this coordinator answers to: another site's name that leads here is refused."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from potluck_coordinator.api.errors import answer
from potluck_coordinator.core.errors import NotAllowed

CLOSED = 4403


def name_of(host: str) -> str:
    """Give a Host header's name without its port, in lower case."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]


class KnownHosts:
    """Answer 403 `access.host` to requests by a name that is not this coordinator's.

    A page of elsewhere may let its own name lead to 127.0.0.1: its scripts would then speak with a
    coordinator that only this machine's people should reach.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = {name_of(name) for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if name_of(host) in self._names:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": CLOSED})
        else:
            refusal = NotAllowed(
                "access.host",
                "This coordinator does not go by that name.",
                expected=", ".join(sorted(self._names)),
                got=host[:200],
                hint="Its operator can add names with POTLUCK_ALLOWED_HOSTS.",
            )
            await answer(refusal)(scope, receive, send)
