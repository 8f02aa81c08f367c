import { expect, test } from "vitest";
import { sha256, sha256InScript } from "./sha256";

test("the version in script gives the standard's known answers", () => {
  const hash = (text: string): string => sha256InScript(new TextEncoder().encode(text));
  expect(hash("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(hash("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("both versions agree on every length around a block's edge", async () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) % 256);
    expect(sha256InScript(bytes)).toBe(await sha256(bytes.buffer));
  }
});
