import { expect, test } from "vitest";
import type { TokenRecord } from "../../protocol/records";
import { stateOf } from "./tokens";

const token: TokenRecord = {
  id: "tk_1", name: "laptop", scope: "all", created_at: 1, last_used_at: null, expires_at: 10, revoked_at: null, this: false,
};

test("a token is in use until it expires or is revoked", () => {
  expect(stateOf(token, 9)).toBe("in use");
  expect(stateOf(token, 10)).toBe("expired");
  expect(stateOf({ ...token, expires_at: null }, 1e12)).toBe("in use");
  expect(stateOf({ ...token, revoked_at: 5 }, 9)).toBe("revoked");
});
