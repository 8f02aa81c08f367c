"""Whose units a donor may get: from what it shows at its socket, read anew at every grant."""

from __future__ import annotations

from dataclasses import dataclass

from potluck_coordinator.core import visitors
from potluck_coordinator.core.access import Bearer, hash_token
from potluck_coordinator.core.groups import Reach
from potluck_coordinator.services import sign_in
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access
from potluck_coordinator.storage.transaction import Transaction

KEYS_APART = "."
"""Between the keys of the groups that a donor joined. No key holds one."""
MOST_KEYS = 16


@dataclass(frozen=True)
class Credentials:
    """What a donor showed, hashed."""

    tokens: tuple[str, ...] = ()
    """Of a token that it sent, and of the keys of its groups."""
    session: str | None = None
    """Of its browser's sign-in."""
    visitor: str = ""
    """The owner that belongs to its visitor's key, on an open coordinator; else empty."""


NO_CREDENTIALS = Credentials()


async def credentials_of(
    site: Site,
    *,
    bearer: str | None,
    session: str | None,
    visitor: str | None,
    keys: str | None,
) -> Credentials:
    """Take what came with a donor's connection.

    Args:
        site: The coordinator.
        bearer: A token or a visitor's key of the Authorization header.
        session: The cookie of a sign-in.
        visitor: The cookie with a visitor's key.
        keys: The cookie with the keys of groups; what opens nothing is left out.

    Raises:
        NotSignedIn: `access.token_unknown` or `access.visitor_key` for such a header.
    """
    owner, hashes = "", [hash_token(key) for key in split_keys(keys)]
    if bearer is not None and visitors.begins_as_visitor_key(bearer):
        owner = sign_in.by_visitor_key(site, bearer).visitor
    elif bearer is not None:
        await sign_in.bearer_of(site, bearer)
        hashes.append(hash_token(bearer))
    else:
        key = sign_in.kept_key(site, visitor)
        owner = visitors.owner_of(key) if key else ""
    found = Credentials(
        tokens=tuple(hashes),
        session=hash_token(session) if session and bearer is None else None,
        visitor=owner,
    )
    for one in await site.writer.read(lambda tx: _bearers(tx, found, site.now())):
        sign_in.note_use(site, one.token)
    return found


def split_keys(cookie: str | None) -> list[str]:
    """Give the keys of groups that a cookie holds."""
    return [key for key in (cookie or "").split(KEYS_APART) if key][:MOST_KEYS]


def reach_of(tx: Transaction, credentials: Credentials, now: float) -> Reach:
    """Say whose units a donor may get now: what ended meanwhile opens nothing."""
    owners: dict[str, str | None] = {}
    groups: dict[str, str] = {}
    for bearer in _bearers(tx, credentials, now):
        if bearer.account is not None:
            owners[bearer.account.name] = bearer.token.id
        if bearer.token.group_id is not None:
            groups[bearer.token.group_id] = bearer.token.id
    if credentials.visitor:
        owners[credentials.visitor] = None
    return Reach(owners, groups)


def _bearers(tx: Transaction, credentials: Credentials, now: float) -> list[Bearer]:
    found = [access.find_by_token_hash(tx, token, now) for token in credentials.tokens]
    if credentials.session is not None:
        session = access.find_session(tx, credentials.session, now)
        found.append(None if session is None else session[1])
    return [bearer for bearer in found if bearer is not None]
