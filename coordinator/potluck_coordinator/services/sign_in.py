"""Tokens and browser sessions. Tokens are hashed at rest and shown once."""

from __future__ import annotations

import secrets

from potluck.protocol import records as wire
from potluck_coordinator.core.access import (
    TOKEN_BYTES,
    BrowserSession,
    hash_token,
    new_token,
    same_secret,
)
from potluck_coordinator.core.errors import NotAllowed, NotSignedIn
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access
from potluck_coordinator.storage.transaction import Transaction

SESSION_SECONDS = 30 * 24 * 3600.0
ANYONE = "anyone"


async def first_admin(site: Site) -> str | None:
    """Make the first admin; give the token, to be printed once, or None where there is one."""
    token = new_token(secrets.token_bytes(TOKEN_BYTES))

    def act(tx: Transaction) -> bool:
        made = access.ensure_first_admin(tx, "admin", hash_token(token), site.now())
        return made is not None

    return token if await site.writer.run(act) else None


async def by_token(site: Site, token: str) -> Asker:
    """Say whose token this is. Raises NotSignedIn `access.token_unknown`."""

    def look(tx: Transaction) -> Asker:
        account = access.find_by_token_hash(tx, hash_token(token))
        if account is None:
            raise NotSignedIn(
                "access.token_unknown",
                "This token is not known here.",
                expected="a token that this coordinator's operator gave out",
                got="another one",
                hint="Check that it was copied whole.",
            )
        return Asker(account.name, account.role, site.settings.open)

    return await site.writer.read(look)


def nobody(site: Site) -> Asker:
    """Give who asks without a token: on an open coordinator, `anyone`."""
    if site.settings.open:
        return Asker(ANYONE, "anonymous", open=True)
    return Asker("", "anonymous")


async def by_cookie(site: Site, cookie: str) -> tuple[Asker, BrowserSession] | None:
    """Give a browser's asker and session, or None for an expired or unknown one."""

    def look(tx: Transaction) -> tuple[Asker, BrowserSession] | None:
        session = access.find_session(tx, hash_token(cookie), site.now())
        if session is None or session.account_id is None:
            return None
        account = access.get_account(tx, session.account_id)
        return Asker(account.name, account.role, site.settings.open), session

    return await site.writer.read(look)


def check_csrf(session: BrowserSession, given: str | None) -> None:
    """Raise NotAllowed unless the header carries the session's own secret."""
    if given is None or not same_secret(given, session.csrf):
        raise NotAllowed(
            "access.csrf",
            "The request does not carry this session's secret.",
            expected="header X-Potluck-CSRF from GET /api/v1/session",
            got="another value" if given else "none",
            hint="Reload the page.",
        )


async def sign_in(site: Site, token: str) -> tuple[str, wire.Session]:
    """Open a browser session; give its cookie. Raises NotSignedIn."""
    cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    await by_token(site, token)

    def act(tx: Transaction) -> Asker:
        account = access.find_by_token_hash(tx, hash_token(token))
        assert account is not None
        now = site.now()
        access.forget_expired_sessions(tx, now)
        access.open_session(tx, hash_token(cookie), account.id, csrf, now + SESSION_SECONDS)
        return Asker(account.name, account.role, site.settings.open)

    asker = await site.writer.run(act)
    return cookie, session_view(asker, csrf)


async def sign_out(site: Site, cookie: str) -> None:
    """Close a browser session."""
    await site.writer.run(lambda tx: access.close_session(tx, hash_token(cookie)))


def session_view(asker: Asker, csrf: str) -> wire.Session:
    """Give what a page needs to know of its session."""
    return wire.Session(
        signed_in=asker.role != "anonymous",
        name=asker.name,
        role=asker.role,
        may_submit=asker.may_submit,
        csrf=csrf,
    )


async def make_token(site: Site, asker: Asker, name: str) -> wire.NewToken:
    """Make a submitter's token; only the admin may. Raises Conflict for a name in use."""
    asker.must_be_admin()
    token = new_token(secrets.token_bytes(TOKEN_BYTES))

    def act(tx: Transaction) -> None:
        access.create_account(tx, name, "submitter", hash_token(token), site.now())

    await site.writer.run(act)
    return wire.NewToken(name=name, token=token)
