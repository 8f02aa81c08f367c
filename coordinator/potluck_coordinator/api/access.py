"""Signing in and out, tokens, and what the home page shows."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from potluck.protocol.records import Ledger, NewToken, Session, SignIn, SiteStatus, TokenRequest
from potluck.version import VERSION
from potluck_coordinator.api.cookies import COOKIE, VISITOR_COOKIE, cookie_of, set_cookie
from potluck_coordinator.api.deps import (
    Anybody,
    TheAsker,
    TheSite,
    bearer_word,
    check_origin,
    known_by_token,
)
from potluck_coordinator.api.paging import Before, Limit
from potluck_coordinator.api.told import JSON
from potluck_coordinator.services import accounts, ledgers, sign_in, views

router = APIRouter(tags=["access"])


@router.get("/status")
async def get_status(site: TheSite) -> SiteStatus:
    """Tell what this coordinator is doing now."""
    return await views.status(site, VERSION)


@router.get("/ledger", response_model=Ledger)
async def get_site_ledger(
    site: TheSite, asker: TheAsker, before: Before = None, limit: Limit = None
) -> Response:
    """Give the site's own chain: uploads and deletions, by hash; in pages like a study's.

    For those with an account alone: it has the hashes of everybody's datasets and models.
    """
    part = await ledgers.site_ledger(site, asker, before=before, limit=limit)
    return StreamingResponse(ledgers.written(site, part), media_type=JSON)


@router.get("/session")
async def get_session(
    site: TheSite, asker: Anybody, request: Request, response: Response
) -> Session:
    """Tell who asks, and the secret for changing requests.

    On an open coordinator a browser gets a visitor's key in an HttpOnly cookie, or keeps the one
    that it has for a year more.
    """
    response.headers["Cache-Control"] = "no-store"
    if bearer_word(request) is not None:
        return sign_in.session_view(asker, "")
    key = sign_in.kept_key(site, cookie_of(request, VISITOR_COOKIE))
    if site.settings.open:
        key = key or sign_in.new_key()
        # Not "strict": a link of elsewhere that leads here would come without it, and the
        # answer's new key would take its place.
        seconds = sign_in.VISITOR_SECONDS
        set_cookie(site, request, response, VISITOR_COOKIE, key, seconds=seconds, samesite="lax")
    asker, csrf = await sign_in.by_cookies(site, cookie_of(request, COOKIE), key)
    return sign_in.session_view(asker, csrf)


@router.post("/session")
async def post_session(
    site: TheSite, body: SignIn, request: Request, response: Response
) -> Session:
    """Sign a browser in with a token; sets an HttpOnly cookie."""
    check_origin(request)
    await known_by_token(site, request, body.token)
    cookie, session = await sign_in.sign_in(site, body.token)
    set_cookie(site, request, response, COOKIE, cookie, seconds=sign_in.SESSION_SECONDS)
    return session


@router.delete("/session")
async def delete_session(
    site: TheSite, _asker: Anybody, request: Request, response: Response
) -> Session:
    """Sign a browser out."""
    cookie = cookie_of(request, COOKIE)
    if cookie:
        await sign_in.sign_out(site, cookie)
    set_cookie(site, request, response, COOKIE, "", seconds=0)
    return sign_in.session_view(sign_in.nobody(site), "")


@router.post("/tokens", status_code=201, deprecated=True)
async def post_token(site: TheSite, asker: TheAsker, body: TokenRequest) -> NewToken:
    """Make a submitter's account with a token. Admin only. `POST /accounts` says more."""
    made = await accounts.make(site, asker, body.name, "submitter")
    return NewToken(name=made.account.name, token=made.token)
