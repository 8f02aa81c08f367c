"""Signing in and out, tokens, and what the home page shows."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from potluck.protocol.records import Ledger, NewToken, Session, SignIn, SiteStatus, TokenRequest
from potluck.version import VERSION
from potluck_coordinator.api.deps import COOKIE, TheAsker, TheSite, check_origin
from potluck_coordinator.services import ledgers, sign_in, views

router = APIRouter(tags=["access"])


@router.get("/status")
async def get_status(site: TheSite) -> SiteStatus:
    """Tell what this coordinator is doing now."""
    return await views.status(site, VERSION)


@router.get("/ledger")
async def get_site_ledger(site: TheSite) -> Ledger:
    """Give the site's own chain: uploads and deletions, by hash."""
    return await ledgers.site_ledger(site)


@router.get("/session")
async def get_session(site: TheSite, asker: TheAsker, request: Request) -> Session:
    """Tell who asks, and the secret for changing requests."""
    cookie = request.cookies.get(COOKIE)
    found = await sign_in.by_cookie(site, cookie) if cookie else None
    return sign_in.session_view(asker, found[1].csrf if found else "")


@router.post("/session")
async def post_session(
    site: TheSite, body: SignIn, request: Request, response: Response
) -> Session:
    """Sign a browser in with a token; sets an HttpOnly cookie."""
    check_origin(request)
    cookie, session = await sign_in.sign_in(site, body.token)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(sign_in.SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        secure=site.settings.secure_cookies,
    )
    return session


@router.delete("/session")
async def delete_session(
    site: TheSite, _asker: TheAsker, request: Request, response: Response
) -> Session:
    """Sign a browser out."""
    cookie = request.cookies.get(COOKIE)
    if cookie:
        await sign_in.sign_out(site, cookie)
    response.delete_cookie(COOKIE)
    return sign_in.session_view(sign_in.nobody(site), "")


@router.post("/tokens", status_code=201)
async def post_token(site: TheSite, asker: TheAsker, body: TokenRequest) -> NewToken:
    """Make a submitter's token. Admin only; it is shown once."""
    return await sign_in.make_token(site, asker, body.name)
