import { expect, test } from "vitest";
import { passedOver } from "./passed_over";

const report = (backend: "webgl" | "wasm", right: boolean, note: string) => ({ backend, right, note, samples_per_second: 0 });

test("a backend that computes wrong is told with its reason, one that is right is not", () => {
  const backends = [report("wasm", true, ""), report("webgl", false, "It gets a small known training wrong.")];
  expect(passedOver({ backends })).toEqual(["WebGL is not used here. It gets a small known training wrong."]);
});

test("without measurements nothing is told", () => {
  expect(passedOver({ backends: [] })).toEqual([]);
});
