import { describe, expect, test } from "vitest";
import { ApiError, asApiError, refusal } from "./http";

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
