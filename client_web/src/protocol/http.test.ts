import { afterEach, describe, expect, test, vi } from "vitest";
import { ApiError, asApiError, refusal, sendSigned } from "./http";

afterEach(() => vi.unstubAllGlobals());

/** Let `fetch` give these answers in turn; gives what was asked: address, CSRF token and body. */
function answers(...given: Response[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (what: Request | string) => {
    const request = typeof what === "string" ? new Request(`http://a.test${what}`) : what;
    asked.push(`${new URL(request.url).pathname} ${request.headers.get("X-Potluck-CSRF")} ${await request.text()}`);
    return given.shift();
  });
  return asked;
}

const post = (): Request =>
  new Request("http://a.test/x", { method: "POST", body: "words", headers: { "X-Potluck-CSRF": "old" } });
const refused = (code: string): Response => Response.json({ error: { code, message: "m" } }, { status: 403 });

describe("a changing request", () => {
  test("goes once more, with the present session's token, where that had changed", async () => {
    const asked = answers(refused("access.csrf"), Response.json({ csrf: "new" }), new Response("done"));
    expect(await (await sendSigned(post())).text()).toBe("done");
    expect(asked).toEqual(["/x old words", "/api/v1/session null ", "/x new words"]);
  });

  test("goes once where it is refused for another reason", async () => {
    const asked = answers(refused("access.not_yours"));
    const response = await sendSigned(post());
    expect(refusal(response.status, await response.json()).detail.code).toBe("access.not_yours");
    expect(asked).toEqual(["/x old words"]);
  });
});

describe("refusals", () => {
  test("an ErrorBody keeps its code, what was expected and what to do", () => {
    const detail = { code: "search.range_empty", message: "m", expected: "low < high", hint: "h" };
    const error = refusal(422, { error: detail });
    expect(error.status).toBe(422);
    expect(error.detail).toEqual(detail);
  });

  test("a body of another shape still says the status and what to do", () => {
    const error = refusal(502, "<html>bad gateway</html>");
    expect(error.detail.code).toBe("http.unexpected");
    expect(error.detail.message).toContain("502");
    expect(error.detail.hint).not.toBe("");
  });

  test("a failed connection says that the coordinator did not answer", () => {
    expect(asApiError(new TypeError("Failed to fetch")).detail.code).toBe("network.unreachable");
  });

  test("an ApiError passes through unchanged", () => {
    const error = new ApiError(404, { code: "study.unknown", message: "m" });
    expect(asApiError(error)).toBe(error);
  });
});
