/** What a browser remembers of its backends, and when it measures again. */

import { beforeEach, expect, test, vi } from "vitest";
import { openMemory } from "./memory";

let kept: Map<string, string>;

function browser(userAgent: string): void {
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  vi.stubGlobal("localStorage", storage);
  vi.stubGlobal("sessionStorage", storage);
  vi.stubGlobal("navigator", { userAgent });
}

beforeEach(() => {
  kept = new Map();
  browser("one");
});

test("kinds of units are remembered one by one", () => {
  openMemory("bundle 1").rememberKind("dense 3", "wasm");
  openMemory("bundle 1").rememberKind("convolution 7", "webgl");
  expect(openMemory("bundle 1").kinds()).toEqual({ "dense 3": "wasm", "convolution 7": "webgl" });
});

test("another bundle or another browser measures again", () => {
  openMemory("bundle 1").rememberKind("dense 3", "wasm");
  openMemory("bundle 1").rememberMeasurements([{ backend: "wasm", samples_per_second: 1, right: true, note: "" }]);
  expect(openMemory("bundle 1").measurements()).toHaveLength(1);
  expect(openMemory("bundle 2").kinds()).toEqual({});
  expect(openMemory("bundle 2").measurements()).toBeNull();
  browser("two");
  expect(openMemory("bundle 1").kinds()).toEqual({});
  expect(openMemory("bundle 1").measurements()).toBeNull();
});

test.each(["", "[]", "{}", "null", '{"with":"bundle 1 one","kinds":{"dense 3":7}}'])(
  "what somebody else wrote there (%s) counts as nothing",
  (text) => {
    kept.set("potluck.kinds", text);
    expect(openMemory("bundle 1").kinds()).toEqual({});
  },
);
