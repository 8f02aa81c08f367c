"""Accounts, which the admin keeps."""

from __future__ import annotations

import secrets

from potluck.protocol import access as wire
from potluck_coordinator.core.access import TOKEN_BYTES, Account, Role, hash_token, new_token
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.names import check_account_name
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.account_names import must_differ
from potluck_coordinator.services.events import ACCESS
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, tokens
from potluck_coordinator.storage.transaction import Transaction, after_commit


async def all_of(site: Site, asker: Asker) -> list[wire.AccountRecord]:
    """List all accounts, oldest first; only the admin may."""
    asker.must_be_admin()

    def look(tx: Transaction) -> list[wire.AccountRecord]:
        return [_record(site, tx, account) for account in access.list_accounts(tx)]

    return await site.writer.read(look)


async def make(site: Site, asker: Asker, name: str, role: Role) -> wire.NewAccount:
    """Make an account with its first token; only the admin may.

    Args:
        site: The coordinator.
        asker: Who asks.
        name: What the account is called.
        role: What it may do.

    Raises:
        BadInput: `access.name_reserved` for what looks like the name of those who have no
            account; `name.*` for what is no name.
        Conflict: `access.name_taken` for a name in use, and one that looks like it.
    """
    asker.must_be_admin()
    name = check_account_name(name)
    token = new_token(secrets.token_bytes(TOKEN_BYTES))

    def act(tx: Transaction) -> wire.AccountRecord:
        must_differ(tx, name)
        made = access.create_account(tx, name, role, hash_token(token), site.now())
        return _record(site, tx, made)

    return wire.NewAccount(account=await site.writer.run(act), token=token)


async def rename(site: Site, asker: Asker, account_id: str, name: str) -> wire.AccountRecord:
    """Give an account another name, and its studies, models, datasets and groups with it.

    Raises BadInput and Conflict as `make`, NotFound.
    """
    asker.must_be_admin()
    name = check_account_name(name)

    def act(tx: Transaction) -> wire.AccountRecord:
        account = access.get_account(tx, account_id)
        if name != account.name:
            must_differ(tx, name, but=account.name)
            if not access.rename_account(tx, account, name):
                raise NotFound("account.not_found", "This account was changed meanwhile.")
            after_commit(tx, lambda: site.hub.publish(ACCESS))
        tx.expire_all()
        return _record(site, tx, access.get_account(tx, account_id))

    return await site.writer.run(act)


async def revoke(site: Site, asker: Asker, account_id: str) -> wire.AccountRecord:
    """Close an account: its tokens and sessions end. What it made stays, and is the admin's.

    Raises Conflict `access.last_admin`, NotFound.
    """
    asker.must_be_admin()

    def act(tx: Transaction) -> wire.AccountRecord:
        access.get_account(tx, account_id)
        access.revoke_account(tx, account_id, site.now())
        after_commit(tx, lambda: site.hub.publish(ACCESS))
        tx.expire_all()
        return _record(site, tx, access.get_account(tx, account_id))

    return await site.writer.run(act)


def _record(site: Site, tx: Transaction, account: Account) -> wire.AccountRecord:
    now = site.now()
    alive = [token for token in tokens.of_account(tx, account.id) if token.is_alive(now)]
    return wire.AccountRecord(
        id=account.id,
        name=account.name,
        role=account.role,
        created_at=account.created_at,
        revoked=account.revoked,
        tokens=0 if account.revoked else len(alive),
    )
