"""An account's tokens: list, make, rename, let expire, revoke."""

from __future__ import annotations

import secrets

from potluck.protocol import access as wire
from potluck_coordinator.core.access import (
    TOKEN_BYTES,
    Scope,
    Token,
    expiry,
    hash_token,
    new_token,
    token_ended,
)
from potluck_coordinator.core.errors import Conflict
from potluck_coordinator.core.names import check_name
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.events import ACCESS
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, tokens
from potluck_coordinator.storage.transaction import Transaction, after_commit

MOST_TOKENS = 100
"""An account's tokens that have not ended."""
ENDED_SHOWN_S = 30 * 24 * 3600.0
"""How long one that ended is still listed."""
MOST_ENDED = 400
"""An account's tokens that ended, and are kept: whoever makes and revokes all day adds no more."""


async def of_account(
    site: Site, asker: Asker, account_id: str | None = None
) -> list[wire.TokenRecord]:
    """List one's own tokens or, for the admin, another account's; ended ones for a month."""
    found = _whose(asker, account_id)

    def look(tx: Transaction) -> list[wire.TokenRecord]:
        access.get_account(tx, found)
        since = site.now() - ENDED_SHOWN_S
        return [
            to_wire(token, asker)
            for token in tokens.of_account(tx, found)
            if (token.revoked_at or since) >= since and (token.expires_at or since) >= since
        ]

    return await site.writer.read(look)


async def make(
    site: Site,
    asker: Asker,
    name: str,
    scope: Scope,
    expires_in_days: float | None,
    account_id: str | None = None,
) -> wire.MadeToken:
    """Make a token of one's own account or, for the admin, of another one. It is shown once.

    Raises BadInput `name.*`, Conflict `token.too_many` and `account.state`.
    """
    found, name = _whose(asker, account_id), check_name(name, of="a token")
    secret = new_token(secrets.token_bytes(TOKEN_BYTES))

    def act(tx: Transaction) -> wire.TokenRecord:
        now = site.now()
        if access.get_account(tx, found).revoked:
            raise Conflict(
                "account.state", "This account is closed.", expected="an open one", got="closed"
            )
        tokens.forget_ended(tx, found, now - ENDED_SHOWN_S, now=now, most=MOST_ENDED)
        if len([t for t in tokens.of_account(tx, found) if t.is_alive(now)]) >= MOST_TOKENS:
            raise Conflict(
                "token.too_many",
                "This account has all the tokens that it may have.",
                expected=f"at most {MOST_TOKENS}",
                got="one more",
                hint="Revoke one that is not used any more.",
            )
        token = Token(
            id=site.new_id("tk"),
            account_id=found,
            group_id=None,
            name=name,
            scope=scope,
            token_hash=hash_token(secret),
            created_at=now,
            expires_at=expiry(now, expires_in_days),
        )
        tokens.add(tx, token)
        return to_wire(token, asker)

    return wire.MadeToken(record=await site.writer.run(act), token=secret)


async def change(
    site: Site,
    asker: Asker,
    token_id: str,
    changes: wire.TokenChange,
    account_id: str | None = None,
) -> wire.TokenRecord:
    """Rename a token, or let it expire at another time.

    Raises NotFound, BadInput, and Conflict `token.state` for one that was revoked or has expired.
    """
    found = _whose(asker, account_id)
    values: dict[str, object] = {}
    if changes.name is not None:
        values["name"] = check_name(changes.name, of="a token")

    def act(tx: Transaction) -> wire.TokenRecord:
        now = site.now()
        token = tokens.get(tx, token_id, account_id=found)
        if "expires_in_days" in changes.model_fields_set:
            values["expires_at"] = expiry(now, changes.expires_in_days)
        if values and not tokens.change(tx, token_id, now, **values):
            raise token_ended(token)
        after_commit(tx, lambda: site.hub.publish(ACCESS))
        return to_wire(tokens.get(tx, token_id, account_id=found), asker)

    return await site.writer.run(act)


async def revoke(
    site: Site, asker: Asker, token_id: str, account_id: str | None = None
) -> wire.TokenRecord:
    """End a token with every session that it opened. Raises NotFound; twice is once."""
    found = _whose(asker, account_id)

    def act(tx: Transaction) -> wire.TokenRecord:
        tokens.get(tx, token_id, account_id=found)
        tokens.revoke(tx, token_id, site.now())
        after_commit(tx, lambda: site.hub.publish(ACCESS))
        return to_wire(tokens.get(tx, token_id, account_id=found), asker)

    return await site.writer.run(act)


def to_wire(token: Token, asker: Asker) -> wire.TokenRecord:
    """Give a token as the wire tells it: all but its secret."""
    return wire.TokenRecord(
        id=token.id,
        name=token.name,
        scope=token.scope,
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        this=token.id == asker.token_id,
    )


def _whose(asker: Asker, account_id: str | None) -> str:
    if account_id is None or account_id == asker.account_id:
        asker.must_have_account()
        return asker.account_id
    asker.must_be_admin()
    return account_id
