"""A line for each request: who asked for what, and what came of it. No query, no secret."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection
from ipaddress import ip_address

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from potluck_coordinator.logs import about, ids_in, is_id

FACTS = "potluck.access"
"""The key of a scope under which a handler leaves what it learns: `account`."""
HIDDEN = "*"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
LONGEST_ADDRESS = 64
"""Characters of what may be an IP address."""
MOST_SEGMENTS = 10
SHOWN_OF_HASH = 12

_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[0-9]{1,6}")
_BUILT = re.compile(r"[\w.-]{1,80}\.(js|css|html|svg|png|ico|wasm|json|woff2|txt|map)")

_log = logging.getLogger("potluck.access")


def note_account(scope: Scope, name: str) -> None:
    """Let the line of a request say whose it was."""
    scope.get(FACTS, {})["account"] = name


def masked(path: str, words: Collection[str]) -> str:
    """Write a path with nothing in it but words of ours, ids, numbers and parts of hashes.

    Whatever else stands there may be a code, a key or a token.
    """
    segments = path.split("/")
    shown = [_shown(segment, words) for segment in segments[:MOST_SEGMENTS]]
    return "/".join([*shown, *([HIDDEN] if len(segments) > MOST_SEGMENTS else [])])


def _shown(segment: str, words: Collection[str]) -> str:
    if segment in words or not segment:
        return segment
    if is_id(segment) or _NUMBER.fullmatch(segment) or _BUILT.fullmatch(segment):
        return segment
    return segment[:SHOWN_OF_HASH] if _HASH.fullmatch(segment) else HIDDEN


def _method(scope: Scope) -> str:
    if scope["type"] == "websocket":
        return "SOCKET"
    method = scope["method"]
    return method if method in METHODS else HIDDEN


def _address(scope: Scope) -> str | None:
    """Give whoever asks: a proxy may tell of another one, and let it write what it likes."""
    client = scope.get("client")
    if client is None:
        return None
    try:
        return str(ip_address(client[0][:LONGEST_ADDRESS]))
    except ValueError:
        return HIDDEN


def words_of(paths: Collection[str]) -> frozenset[str]:
    """Give the words of routes and pages: what no stranger made up."""
    return frozenset(word for path in paths for word in path.split("/") if "{" not in word)


class AccessLog:
    """Goes around everything else. `paths`: those of the routes and pages."""

    def __init__(self, app: ASGIApp, paths: Collection[str]) -> None:
        self._app = app
        self._words = words_of(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket, then tell of it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = masked(scope["path"], self._words)
        told: dict[str, object] = {
            "method": _method(scope),
            "path": path,
            "address": _address(scope),
        }
        facts: dict[str, object] = {}
        scope[FACTS] = facts
        started = time.monotonic()
        status, size = None, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
            elif kind.startswith("websocket.") and status is None:
                status = 101 if kind == "websocket.accept" else 403
            size += len(message.get("body") or message.get("bytes") or message.get("text") or b"")
            await send(message)

        with about(**ids_in(path)):
            try:
                await self._app(scope, receive, counted)
            finally:
                seconds = round(time.monotonic() - started, 3)
                told |= {"status": status, "bytes": size, "seconds": seconds}
                _log.info("request", extra={**told, **facts})
