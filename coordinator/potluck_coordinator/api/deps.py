"""Who asks, and of which coordinator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from potluck_coordinator.api.access_log import note_account
from potluck_coordinator.api.cookies import COOKIE, VISITOR_COOKIE, cookie_of
from potluck_coordinator.api.forms import FormRequest, new_store, read_form
from potluck_coordinator.core.errors import NotAllowed, NotSignedIn
from potluck_coordinator.core.manners import network_of
from potluck_coordinator.core.visitors import begins_as_visitor_key
from potluck_coordinator.services import sign_in
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.rates import Rate
from potluck_coordinator.services.site import Site

CSRF_HEADER = "X-Potluck-CSRF"
NOWHERE = "nowhere"
SECONDS_TO_HEAR = 0.02
SAFE = ("GET", "HEAD", "OPTIONS")


def get_site(connection: HTTPConnection) -> Site:
    """Give the coordinator that serves this request."""
    return cast(Site, connection.app.state.site)


def network(connection: HTTPConnection) -> str:
    """Name the network that a request comes from."""
    client = connection.client
    return NOWHERE if client is None else network_of(client.host)


def check_origin(connection: HTTPConnection) -> None:
    """Refuse what another site's page sends. Clients that are no browsers send no Origin.

    Where this site is known to be HTTPS, the same name over HTTP is another site: anybody on the
    way could have written that page. Behind a proxy that ends TLS, unknown here, both may come.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return
    secure = connection.scope["scheme"] in ("https", "wss")
    secure = secure or get_site(connection).settings.secure_cookies
    host = connection.headers.get("host", "")
    own = {_site_of(scheme, host) for scheme in ("https",) + (("http",) if not secure else ())}
    if _site_of(*_parted(origin)) not in own:
        raise NotAllowed(
            "access.origin",
            "The request comes from another site's page.",
            expected=f"{'https' if secure else connection.scope['scheme']}://{host}",
            got=origin[:200],
        )


def _parted(origin: str) -> tuple[str, str]:
    scheme, _, host = origin.partition("://")
    return scheme, host


def _site_of(scheme: str, host: str) -> str:
    """Write a site's name as an Origin header does: without the port that its scheme has anyhow."""
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{host.lower().removesuffix(port) if port else host.lower()}"


def bearer_word(request: HTTPConnection) -> str | None:
    """Give the token or key of the Authorization header; None where a browser's cookies count.

    Args:
        request: The request.
    """
    authorization = request.headers.get("authorization", "")
    return authorization[7:].strip() if authorization.lower().startswith("bearer ") else None


async def get_asker(request: Request) -> Asker:
    """Say who asks. Raises NotAllowed `access.donate_only` for whoever may only donate."""
    asker = await get_anybody(request)
    asker.must_do_more()
    return asker


async def get_anybody(request: Request) -> Asker:
    """Say who asks: a bearer's token or key, or a browser by its cookies, or nobody."""
    asker = replace(await _find_asker(request), network=network(request))
    note_account(request.scope, asker.name)
    return asker


async def _find_asker(request: Request) -> Asker:
    site = get_site(request)
    if request.method not in SAFE:
        check_origin(request)
    word = bearer_word(request)
    if word is not None:
        if begins_as_visitor_key(word):
            return sign_in.by_visitor_key(site, word)
        return await known_by_token(site, request, word)
    cookie = cookie_of(request, COOKIE)
    asker, csrf = await sign_in.by_cookies(site, cookie, cookie_of(request, VISITOR_COOKIE))
    if cookie is not None:
        _learn(site, f"{COOKIE} {cookie}", asker)
    if csrf and request.method not in SAFE:
        sign_in.check_csrf(csrf, request.headers.get(CSRF_HEADER))
    return asker


async def known_by_token(site: Site, request: Request, token: str) -> Asker:
    """Say whose token this is; unknown ones are counted for the network that they come from.

    Raises NotSignedIn `access.token_unknown`; TooOften `rate.sign_ins` for a token that was not
    seen before from where too many unknown ones came.
    """
    if site.rates.account_of(f"bearer {token}") is None:
        site.rates.look(Rate.SIGN_INS, network(request))
    try:
        asker = await sign_in.by_token(site, token)
    except NotSignedIn:
        site.rates.forget(f"bearer {token}")
        site.rates.charge(Rate.SIGN_INS, network(request))
        raise
    _learn(site, f"bearer {token}", asker)
    return asker


def _learn(site: Site, credential: str, asker: Asker) -> None:
    """Let what is shown like this count for its account; what has none counts for its network."""
    if asker.account_id:
        site.rates.learn(credential, asker.account_id)
    else:
        site.rates.forget(credential)


def get_still_wanted(request: Request) -> Callable[[], Awaitable[bool]]:
    """Give what says whether somebody still waits for this request's answer."""

    async def still_wanted() -> bool:
        if await request.is_disconnected():
            return False
        # The server reads no further while a large body is worked on: asking made it read again.
        await asyncio.sleep(SECONDS_TO_HEAR)
        return not await request.is_disconnected()

    return still_wanted


class SubmittersRoute(APIRoute):
    """A route with a form, whose asker is checked before a byte of it is read: it can be large."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the check before what reads the form."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            (await get_asker(request)).must_submit()
            with await asyncio.to_thread(new_store) as stored:
                return await handle(FormRequest(request, await read_form(request, stored)))

        return checked


TheSite = Annotated[Site, Depends(get_site)]
StillWanted = Annotated[Callable[[], Awaitable[bool]], Depends(get_still_wanted)]
TheAsker = Annotated[Asker, Depends(get_asker)]
"""Whoever may do more than donate, or nobody."""
Anybody = Annotated[Asker, Depends(get_anybody)]
"""Donors with a donate-only token, too: for what they may ask."""
