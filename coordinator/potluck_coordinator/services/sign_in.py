"""Tokens and browser sessions. Tokens are hashed at rest and shown once."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace

from potluck.protocol import records as wire
from potluck_coordinator.core import visitors
from potluck_coordinator.core.access import (
    TOKEN_BYTES,
    USE_NOTED_EVERY_S,
    Bearer,
    BrowserSession,
    Token,
    hash_token,
    new_token,
    same_secret,
)
from potluck_coordinator.core.errors import Busy, NotAllowed, NotSignedIn
from potluck_coordinator.services.access import Asker, Role
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, tokens
from potluck_coordinator.storage.transaction import Transaction

SESSION_SECONDS = 30 * 24 * 3600.0
MOST_SESSIONS = 1000
"""Browsers that one token may be signed in with: one more signs out the first of them."""
VISITOR_SECONDS = 365 * 24 * 3600.0
"""How long a browser keeps its key after it was last here."""


async def first_admin(site: Site) -> str | None:
    """Make the first admin; give the token, to be printed once, or None where there is one."""
    token = new_token(secrets.token_bytes(TOKEN_BYTES))

    def act(tx: Transaction) -> bool:
        made = access.ensure_first_admin(tx, "admin", hash_token(token), site.now())
        return made is not None

    return token if await site.writer.run(act) else None


async def by_token(site: Site, token: str) -> Asker:
    """Say whose token this is. Raises NotSignedIn `access.token_unknown`."""
    return asker_of(site, await bearer_of(site, token))


async def bearer_of(site: Site, token: str) -> Bearer:
    """Say who holds a token, and note that it was used. Raises `access.token_unknown`."""
    now = site.now()
    found = await site.writer.read(lambda tx: access.find_by_token_hash(tx, hash_token(token), now))
    if found is None:
        raise token_unknown()
    note_use(site, found.token)
    return found


def token_unknown() -> NotSignedIn:
    """Refuse a token that opens nothing: unknown, revoked and expired ones sound the same."""
    return NotSignedIn(
        "access.token_unknown",
        "This token is not known here.",
        expected="a token that this coordinator's operator gave out, and that has not ended",
        got="another one",
        hint="Check that it was copied whole, and that it was not revoked and has not expired.",
    )


def note_use(site: Site, token: Token) -> None:
    """Keep when a token was last used, at most once an hour, without anybody waiting for it."""
    now = site.now()
    if token.use_is_news(now):
        since = now - USE_NOTED_EVERY_S
        with suppress(Busy):
            site.writer.submit(lambda tx: tokens.note_use(tx, token.id, now, since=since))


def asker_of(site: Site, bearer: Bearer) -> Asker:
    """Give the asker that a token makes of whoever holds it."""
    token, account = bearer.token, bearer.account
    role: Role = "donor" if account is None or token.scope == "donate" else account.role
    return Asker(
        name=token.name if account is None else account.name,
        role=role,
        open=site.settings.open,
        account_id="" if account is None else account.id,
        token_id=token.id,
    )


def nobody(site: Site) -> Asker:
    """Give who asks without a token or key: on an open coordinator, `anyone`, who owns nothing."""
    if site.settings.open:
        return Asker(visitors.ANYONE, "anonymous", open=True)
    return Asker("", "anonymous")


def by_visitor_key(site: Site, key: str) -> Asker:
    """Say who shows a visitor's key, which counts on an open coordinator alone.

    Args:
        site: The coordinator.
        key: What begins as a visitor's key does.

    Raises:
        NotSignedIn: `access.visitor_key` on an open coordinator, where it has another form.
    """
    if not site.settings.open:
        return nobody(site)
    if not visitors.is_visitor_key(key):
        raise NotSignedIn(
            "access.visitor_key",
            "This is no visitor's key.",
            expected=f"{visitors.KEY_PREFIX} and 43 letters, digits, `-` or `_` (32 random bytes)",
            got=f"{len(key)} characters",
            hint="Check that it was copied whole, or make a new one.",
        )
    return replace(nobody(site), visitor=visitors.owner_of(key))


def kept_key(site: Site, cookie: str | None) -> str | None:
    """Give the visitor's key in a browser's cookie; None where it holds none, or none counts here.

    Args:
        site: The coordinator.
        cookie: The cookie's value, whatever it may be; None where there is no such cookie.
    """
    if cookie is None or not site.settings.open or not visitors.is_visitor_key(cookie):
        return None
    return cookie


def new_key() -> str:
    """Make a key for a browser that has none."""
    return visitors.new_visitor_key(secrets.token_bytes(visitors.KEY_BYTES))


async def by_cookie(site: Site, cookie: str) -> tuple[Asker, BrowserSession] | None:
    """Give a browser's asker and session, or None for one that ended, as its token may have."""
    now = site.now()
    found = await site.writer.read(lambda tx: access.find_session(tx, hash_token(cookie), now))
    if found is None:
        return None
    session, bearer = found
    note_use(site, bearer.token)
    return asker_of(site, bearer), session


async def by_cookies(site: Site, session: str | None, visitor: str | None) -> tuple[Asker, str]:
    """Say which browser asks, and the secret that its changing requests must carry.

    A browser that is signed in keeps what it made before: its key counts beside the account.

    Args:
        site: The coordinator.
        session: The cookie of a sign-in; None where there is none.
        visitor: The cookie with a visitor's key; None where there is none.
    """
    key = kept_key(site, visitor)
    owner = visitors.owner_of(key) if key else ""
    found = await by_cookie(site, session) if session else None
    if found is not None:
        return replace(found[0], visitor=owner), found[1].csrf
    return replace(nobody(site), visitor=owner), visitors.csrf_of(key) if key else ""


def check_csrf(expected: str, given: str | None) -> None:
    """Hold a changing request's header against the secret of its cookie.

    Args:
        expected: The secret that GET /api/v1/session tells this browser.
        given: The header; None where it is missing.

    Raises:
        NotAllowed: `access.csrf` for another value.
    """
    if given is None or not same_secret(given, expected):
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
    bearer = await bearer_of(site, token)

    def act(tx: Transaction) -> None:
        now = site.now()
        if access.find_by_token_id(tx, bearer.token.id, now) is None:
            raise token_unknown()
        access.forget_expired_sessions(tx, now)
        access.forget_oldest_sessions(tx, bearer.token.id, keep=MOST_SESSIONS - 1)
        access.open_session(tx, hash_token(cookie), bearer.token.id, csrf, now + SESSION_SECONDS)

    await site.writer.run(act)
    return cookie, session_view(asker_of(site, bearer), csrf)


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
