"""How long a request's address and headers may be: whatever reads them takes time for each byte."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from potluck_coordinator.api.cookies import only_ours
from potluck_coordinator.api.errors import answer
from potluck_coordinator.api.rates import refuse
from potluck_coordinator.core.errors import LongHead

LONGEST_ADDRESS = 8 * 1024
"""Bytes of the path and the query."""
MOST_HEADER_BYTES = 16 * 1024
MOST_HEADERS = 200
LONGEST_RANGE = 64
"""Bytes of a `Range` that is heeded; nothing of ours asks for more than one range."""


class BoundedHeads:
    """Answer 431 `request.head` to a longer address, or more headers, than anything here needs.

    A `Range` of many ranges is taken as if it was not there, which HTTP allows: the whole is sent.
    So are cookies that are not ours.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif (refusal := _fault(scope)) is not None:
            await refuse(answer(refusal), scope, receive, send)
        else:
            headers = [one for one in scope["headers"] if not _is_many_ranges(*one)]
            await self._app({**scope, "headers": only_ours(headers)}, receive, send)


def _fault(scope: Scope) -> LongHead | None:
    raw = scope.get("raw_path") or scope["path"].encode(errors="surrogatepass")
    address = len(raw) + len(scope.get("query_string", b""))
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if address > LONGEST_ADDRESS:
        return _refusal("address", f"at most {LONGEST_ADDRESS:,} bytes", f"{address:,}")
    if len(headers) > MOST_HEADERS:
        return _refusal("headers", f"at most {MOST_HEADERS}", f"{len(headers):,}")
    if size > MOST_HEADER_BYTES:
        return _refusal("headers", f"at most {MOST_HEADER_BYTES:,} bytes", f"{size:,}")
    return None


def _refusal(what: str, expected: str, got: str) -> LongHead:
    return LongHead(
        "request.head",
        f"The request's {what} came too long." if what == "address" else "Too many headers came.",
        expected=expected,
        got=got,
        hint="In a browser: delete the cookies of this address, other programs' among them."
        if what == "headers"
        else "",
    )


def _is_many_ranges(name: bytes, value: bytes) -> bool:
    return name == b"range" and (b"," in value or len(value) > LONGEST_RANGE)
