"""What `potluck admin` does to accounts and tokens, beside a running coordinator or without one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from potluck.protocol.access import MOST_DAYS
from potluck_coordinator.core.access import (
    TOKEN_BYTES,
    Account,
    Role,
    Scope,
    Token,
    expiry,
    hash_token,
    new_token,
    token_ended,
)
from potluck_coordinator.core.errors import BadInput, Conflict, NotFound
from potluck_coordinator.core.ids import spell
from potluck_coordinator.core.names import check_account_name, check_name
from potluck_coordinator.services.account_names import must_differ
from potluck_coordinator.storage import access, tokens
from potluck_coordinator.storage.transaction import Transaction


class Books:
    """What the commands do, in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._now = time.time()

    def accounts(self) -> Iterator[str]:
        """Say each account in a line."""
        for account in access.list_accounts(self._tx):
            state = "revoked" if account.revoked else account.role
            yield f"{account.name}\t{state}\tsince {_day(account.created_at)}"

    def tokens(self, name: str) -> Iterator[str]:
        """Say each of an account's tokens in a line."""
        for token in tokens.of_account(self._tx, self._account(name).id):
            state = "alive" if token.is_alive(self._now) else "ended"
            used = (
                "never used" if token.last_used_at is None else f"used {_day(token.last_used_at)}"
            )
            yield f"{token.id}\t{token.name}\t{token.scope}\t{state}\t{used}\t{_end(token)}"

    def new_account(self, name: str, role: Role) -> str:
        """Make an account; give its first token.

        Args:
            name: What it is called.
            role: `submitter`, or `admin` who may do everything.

        Raises:
            BadInput: `name.*`, `access.name_reserved`.
            Conflict: `access.name_taken`.
        """
        name = check_account_name(name)
        must_differ(self._tx, name)
        secret = new_token(secrets.token_bytes(TOKEN_BYTES))
        access.create_account(self._tx, name, role, hash_token(secret), self._now)
        return secret

    def rename_account(self, account: str, name: str) -> str:
        """Give an account another name, and all that is kept under it, too.

        Args:
            account: Its name until now.
            name: What it is to be called.

        Raises:
            NotFound: `account.not_found`.
            BadInput: `name.*`, `access.name_reserved`.
            Conflict: `access.name_taken`.
        """
        found, name = self._account(account), check_account_name(name)
        if name != found.name:
            must_differ(self._tx, name, but=found.name)
            access.rename_account(self._tx, found, name)
        return f"{account}: renamed to {name}"

    def new_token(
        self,
        account: str | None,
        name: str,
        scope: Scope = "all",
        days: float | None = None,
    ) -> str:
        """Make a token of an account, or of the first admin, who is made where there is none.

        Args:
            account: The account's name; None: the first admin's.
            name: What the token is called.
            scope: What it opens: `all`, or `donate` and nothing else.
            days: In how many days it expires, up to `MOST_DAYS`; None: never.

        Raises:
            NotFound: `account.not_found`.
            BadInput: `name.*`, `token.days`.
            Conflict: `account.state` for one that is revoked, `token.no_admin` where a token that
                only donates, or expires, would be the first one of all.
        """
        secret = new_token(secrets.token_bytes(TOKEN_BYTES))
        name = check_name(name, of="a token")
        _check_days(days)
        whole = scope == "all" and days is None
        if account is None and not whole and not access.admins(self._tx):
            raise Conflict(
                "token.no_admin",
                "There is no admin yet, whose first token opens everything for good.",
                hint="Make that one first, without options.",
            )
        found = self._account(account) if account is not None else self._admin(secret)
        if found is None:
            return secret
        if found.revoked:
            raise Conflict("account.state", f"The account {found.name} is revoked.")
        token = Token(
            id=spell("tk", secrets.token_bytes(10)),
            account_id=found.id,
            group_id=None,
            name=name,
            scope=scope,
            token_hash=hash_token(secret),
            created_at=self._now,
            expires_at=expiry(self._now, days),
        )
        tokens.add(self._tx, token)
        return secret

    def _admin(self, secret: str) -> Account | None:
        """Give the first admin; None where this secret has become the token of a new one."""
        there = access.admins(self._tx)
        if there:
            return there[0]
        taken = {account.name for account in access.list_accounts(self._tx)}
        name = next(n for n in map(_admin_name, count(1)) if n not in taken)
        access.create_account(self._tx, name, "admin", hash_token(secret), self._now)
        return None

    def rename_token(self, token_id: str, name: str) -> str:
        """Give a token another name.

        Args:
            token_id: Which one.
            name: What it is to be called.

        Raises:
            NotFound: `token.not_found`.
            BadInput: `name.*`.
            Conflict: `token.state` for one that has ended.
        """
        token = tokens.get(self._tx, token_id)
        name = check_name(name, of="a token")
        self._change(token, name=name)
        return f"{token.name}: renamed to {name}"

    def expire_token(self, token_id: str, days: float | None) -> str:
        """Let a token expire at another time than now.

        Args:
            token_id: Which one.
            days: In how many days from now, 0 to `MOST_DAYS`; None: never.

        Raises:
            NotFound: `token.not_found`.
            BadInput: `token.days`.
            Conflict: `token.state` for one that has ended.
        """
        token = tokens.get(self._tx, token_id)
        _check_days(days)
        self._change(token, expires_at=expiry(self._now, days))
        return f"{token.name}: {_end(tokens.get(self._tx, token_id))}"

    def _change(self, token: Token, **values: Any) -> None:
        if not tokens.change(self._tx, token.id, self._now, **values):
            raise token_ended(token)

    def revoke_token(self, token_id: str) -> str:
        """End a token."""
        token = tokens.get(self._tx, token_id)
        done = tokens.revoke(self._tx, token.id, self._now)
        return f"{token.name}: {'revoked' if done else 'was revoked before'}"

    def revoke_account(self, name: str) -> str:
        """Close an account."""
        done = access.revoke_account(self._tx, self._account(name).id, self._now)
        return f"{name}: {'revoked' if done else 'was revoked before'}"

    def _account(self, name: str) -> Account:
        found = access.find_account(self._tx, name)
        if found is None:
            raise NotFound("account.not_found", f"There is no account named {name}.")
        return found


def _check_days(days: float | None) -> None:
    if days is not None and not 0 <= days <= MOST_DAYS:
        raise BadInput(
            "token.days",
            f"A token expires in 0 to {MOST_DAYS} days, or never.",
            expected=f"0 to {MOST_DAYS}",
            got=str(days),
        )


def _admin_name(number: int) -> str:
    return "admin" if number == 1 else f"admin {number}"


def _end(token: Token) -> str:
    return "never expires" if token.expires_at is None else f"expires {_day(token.expires_at)}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
