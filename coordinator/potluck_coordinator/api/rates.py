"""Rates where requests come in: what is too often is answered 429 before anything is done."""

from __future__ import annotations

from contextlib import ExitStack

from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from potluck_coordinator.api.body_limits import changes_things, is_states, is_upload, makes_material
from potluck_coordinator.api.coming import Coming
from potluck_coordinator.api.cookies import COOKIE, cookie_of
from potluck_coordinator.api.deps import bearer_word, get_site, network
from potluck_coordinator.api.errors import answer
from potluck_coordinator.core.errors import TooOften
from potluck_coordinator.services.rates import Rate, Rates, upload_rates

CLOSED = 1013
"""A socket's code for `try again later`."""
REFUSING = "websocket.http.response"
"""The extension of a server that can answer a socket's request in words."""


def counted_for(rates: Rates, connection: HTTPConnection) -> str:
    """Say for whom a request counts: an account whose credential is known, else the network."""
    bearer, cookie = bearer_word(connection), cookie_of(connection, COOKIE)
    # A token in a cookie's place signs nobody in, and counts for nobody.
    account = rates.account_of(f"bearer {bearer}" if bearer else f"{COOKIE} {cookie}")
    return network(connection) if account is None else f"account {account}"


def charging(scope: Scope) -> Coming:
    """Give what counts the bytes of a request's body for whoever sends it.

    It also holds them against the disk's room.

    Args:
        scope: The request's.
    """
    connection = HTTPConnection(scope)
    site = get_site(connection)
    who = counted_for(site.rates, connection)
    if is_states(scope["path"]):
        return Coming(site, [(Rate.LEASE_BYTES, who)] if scope["method"] == "PUT" else [])
    if not is_upload(scope["method"], scope["path"]):
        return Coming(site, [])
    rates = upload_rates(visitor=who == network(connection))
    return Coming(site, [(rate, who) for rate in rates], spooled=True)


class CountedRequests:
    """Answer 429 `rate.*` to who asks, uploads or connects too often; say when to try again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        rates = get_site(connection).rates
        with ExitStack() as stack:
            try:
                if scope["type"] == "websocket":
                    rates.charge(Rate.NEW_SOCKETS, network(connection))
                    stack.enter_context(rates.socket(network(connection)))
                else:
                    method, path = scope["method"], scope["path"]
                    who = counted_for(rates, connection)
                    rates.charge(Rate.LEASE_REQUESTS if is_states(path) else Rate.REQUESTS, who)
                    if is_upload(method, path) or makes_material(method, path):
                        rates.charge(Rate.UPLOADS, who)
                    if changes_things(method, path):
                        rates.charge(Rate.CHANGES, who)
            except TooOften as error:
                await refuse(answer(error), scope, receive, send)
                return
            await self._app(scope, receive, send)


async def refuse(told: JSONResponse, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, or a socket that nobody has accepted yet."""
    if scope["type"] == "http" or REFUSING in scope.get("extensions", {}):
        await told(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": CLOSED})
