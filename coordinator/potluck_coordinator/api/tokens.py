"""One's own tokens."""

from __future__ import annotations

from fastapi import APIRouter

from potluck.protocol.access import MadeToken, TokenChange, TokenMaking, TokenRecord
from potluck_coordinator.api.deps import TheAsker, TheSite
from potluck_coordinator.services import tokens

router = APIRouter(prefix="/account/tokens", tags=["access"])


@router.get("")
async def list_tokens(site: TheSite, asker: TheAsker) -> list[TokenRecord]:
    """List your account's tokens, those that ended in the last month too."""
    return await tokens.of_account(site, asker)


@router.post("", status_code=201)
async def post_token(site: TheSite, asker: TheAsker, body: TokenMaking) -> MadeToken:
    """Make one more token of your account. It is shown once; only its hash is kept."""
    return await tokens.make(site, asker, body.name, body.scope, body.expires_in_days)


@router.patch("/{token_id}")
async def patch_token(
    site: TheSite, asker: TheAsker, token_id: str, body: TokenChange
) -> TokenRecord:
    """Rename one of your tokens, or let it expire (in 0 days: now)."""
    return await tokens.change(site, asker, token_id, body)


@router.delete("/{token_id}")
async def delete_token(site: TheSite, asker: TheAsker, token_id: str) -> TokenRecord:
    """Revoke one of your tokens, with every session that it opened."""
    return await tokens.revoke(site, asker, token_id)
