"""Accounts and their tokens, for the admin."""

from __future__ import annotations

from fastapi import APIRouter

from potluck.protocol.access import (
    AccountChange,
    AccountMaking,
    AccountRecord,
    MadeToken,
    NewAccount,
    TokenChange,
    TokenMaking,
    TokenRecord,
)
from potluck_coordinator.api.deps import TheAsker, TheSite
from potluck_coordinator.services import accounts, tokens

router = APIRouter(prefix="/accounts", tags=["access"])


@router.get("")
async def list_accounts(site: TheSite, asker: TheAsker) -> list[AccountRecord]:
    """List all accounts. Admin only, as everything here."""
    return await accounts.all_of(site, asker)


@router.post("", status_code=201)
async def post_account(site: TheSite, asker: TheAsker, body: AccountMaking) -> NewAccount:
    """Make an account with its first token, which is shown once."""
    return await accounts.make(site, asker, body.name, body.role)


@router.patch("/{account_id}")
async def patch_account(
    site: TheSite, asker: TheAsker, account_id: str, body: AccountChange
) -> AccountRecord:
    """Rename an account, and everything that is kept under its name. The ledger keeps the old."""
    return await accounts.rename(site, asker, account_id, body.name)


@router.delete("/{account_id}")
async def delete_account(site: TheSite, asker: TheAsker, account_id: str) -> AccountRecord:
    """Revoke an account: its tokens and sessions end. What it made stays."""
    return await accounts.revoke(site, asker, account_id)


@router.get("/{account_id}/tokens")
async def list_tokens(site: TheSite, asker: TheAsker, account_id: str) -> list[TokenRecord]:
    """List an account's tokens."""
    return await tokens.of_account(site, asker, account_id)


@router.post("/{account_id}/tokens", status_code=201)
async def post_token(
    site: TheSite, asker: TheAsker, account_id: str, body: TokenMaking
) -> MadeToken:
    """Make one more token of an account."""
    return await tokens.make(site, asker, body.name, body.scope, body.expires_in_days, account_id)


@router.patch("/{account_id}/tokens/{token_id}")
async def patch_token(
    site: TheSite, asker: TheAsker, account_id: str, token_id: str, body: TokenChange
) -> TokenRecord:
    """Rename an account's token, or let it expire."""
    return await tokens.change(site, asker, token_id, body, account_id)


@router.delete("/{account_id}/tokens/{token_id}")
async def delete_token(
    site: TheSite, asker: TheAsker, account_id: str, token_id: str
) -> TokenRecord:
    """Revoke an account's token, with every session that it opened."""
    return await tokens.revoke(site, asker, token_id, account_id)
