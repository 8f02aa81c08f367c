/** An account's tokens over the API: one's own (`null`), or another account's, for the admin. */

import { api, read } from "../../protocol/http";
import type { MadeToken, TokenRecord } from "../../protocol/records";

export interface Wanted {
  readonly name: string;
  readonly scope: TokenRecord["scope"];
  readonly expires_in_days: number | null;
}

const OWN = "/api/v1/account/tokens";
const OWN_ONE = "/api/v1/account/tokens/{token_id}";
const OTHERS = "/api/v1/accounts/{account_id}/tokens";
const OTHERS_ONE = "/api/v1/accounts/{account_id}/tokens/{token_id}";

export function listTokens(account_id: string | null): Promise<TokenRecord[]> {
  return account_id === null ? read(api.GET(OWN)) : read(api.GET(OTHERS, { params: { path: { account_id } } }));
}

export function makeToken(account_id: string | null, body: Wanted): Promise<MadeToken> {
  return account_id === null
    ? read(api.POST(OWN, { body }))
    : read(api.POST(OTHERS, { params: { path: { account_id } }, body }));
}

export interface Change {
  readonly name: string;
  /** Left out: as before. */
  readonly expires_in_days?: number | null;
}

export function changeToken(account_id: string | null, token_id: string, body: Change): Promise<TokenRecord> {
  return account_id === null
    ? read(api.PATCH(OWN_ONE, { params: { path: { token_id } }, body }))
    : read(api.PATCH(OTHERS_ONE, { params: { path: { account_id, token_id } }, body }));
}

export function revokeToken(account_id: string | null, token_id: string): Promise<TokenRecord> {
  return account_id === null
    ? read(api.DELETE(OWN_ONE, { params: { path: { token_id } } }))
    : read(api.DELETE(OTHERS_ONE, { params: { path: { account_id, token_id } } }));
}

/** What has become of a token by a time in seconds since 1970, in plain words. */
export function stateOf(token: TokenRecord, now: number): "in use" | "revoked" | "expired" {
  if (token.revoked_at !== null) return "revoked";
  return token.expires_at !== null && token.expires_at <= now ? "expired" : "in use";
}
