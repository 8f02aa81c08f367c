import { describe, expect, it } from "vitest";
import { match, type Route } from "./router.svelte";

const load = () => Promise.reject(new Error("no page is loaded here"));
const routes: Route[] = ["/studies", "/studies/{id}"].map((pattern) => ({ pattern, load }));

describe("addresses", () => {
  it("give what stands in a pattern's places", () => {
    expect(match(routes, "/studies/a%20b")?.params).toEqual({ id: "a b" });
    expect(match(routes, "/studies/")?.route.pattern).toBe("/studies");
  });

  it.each(["/studies/%ff", "/studies/%", "/studies/%ed%a0%80", "/studies/a/b"])(
    "that name nothing are no page: %s",
    (path) => {
      expect(match(routes, path)).toBeNull();
    },
  );
});
