"""One rule for what strangers say: addresses and JSON that cannot be said again are refused."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from potluck_coordinator.api.body_limits import API, takes_json
from potluck_coordinator.api.errors import answer
from potluck_coordinator.core.errors import NotFound, PotluckError
from potluck_coordinator.core.text import check_json, check_said, decoded, fault_in

SHORT = 16 * 1024
"""Characters of JSON that are looked at in a few milliseconds at most."""
BODY = "The request's body"


class PlainWords:
    """Refuse text that is no UTF-8, half characters, NUL, and numbers that JSON cannot hold.

    Stands within `BodyLimits`, which bounds what is read here. A body is judged when the handler
    asks for it, so that whoever may not send one hears that first. The socket's messages are held
    to the same rule where they are read (`api.donor`), uploads where they are opened.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            if scope["path"].startswith(f"{API}/"):
                check_address(scope)
        except PotluckError as refusal:
            await answer(refusal)(scope, receive, send)
            return
        if not takes_json(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        judged = _Judged(receive, send)
        with suppress(_Refused):  # or it became an answer on its way, which was not sent
            await self._app(scope, judged.receive, judged.send)
        if judged.refusal is not None and not judged.answered:
            await answer(judged.refusal)(scope, receive, send)


async def check_words(text: str, what: str) -> None:
    """Hold JSON to `core.text.check_json`, without keeping others waiting for a long one.

    Args:
        text: What was sent.
        what: What it is, to begin a sentence.

    Raises:
        BadInput: `request.*`.
    """
    if len(text) > SHORT:
        await asyncio.to_thread(check_json, text, what)
    else:
        check_json(text, what)


def check_address(scope: Scope) -> None:
    """Refuse an address that is not written in UTF-8, or that holds NUL.

    Args:
        scope: An ASGI request.

    Raises:
        NotFound: `address.not_found` for such a path: nothing here has one.
        BadInput: `request.unsayable` for such a query.
    """
    if not is_sayable(scope):
        raise NotFound(
            "address.not_found",
            "There is no such address.",
            expected="an address of /api/openapi.json, in UTF-8",
            got="bytes that are no text",
        )
    query = decoded(unquote_to_bytes(scope.get("query_string", b"")), "The address")
    check_said(query, "The address")


def is_sayable(scope: Scope) -> bool:
    """Say whether an address's path is text.

    Args:
        scope: An ASGI request.
    """
    raw = scope.get("raw_path") or scope["path"].encode(errors="surrogatepass")
    try:
        return not fault_in(unquote_to_bytes(raw).decode())
    except UnicodeDecodeError:
        return False


class _Refused(Exception):
    """Ends the handler that reads what was refused."""


class _Judged:
    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._read = False
        self.refusal: PotluckError | None = None
        self.answered = False

    async def receive(self) -> Message:
        if self._read or self.answered:
            return await self._receive()
        pieces: list[bytes] = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                return message  # it has gone
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        self._read = True
        body = b"".join(pieces)
        try:
            await check_words(decoded(body, BODY), BODY)
        except PotluckError as refusal:
            self.refusal = refusal
            raise _Refused from None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.answered:
            return  # the handler's own words about a body that was refused
        self.answered = True
        await self._send(message)
