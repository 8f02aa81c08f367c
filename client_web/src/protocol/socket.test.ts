import { expect, test } from "vitest";
import { parseMessage, written } from "./messages";
import { reconnectDelay } from "./socket";

test("tries come more and more rarely, within ten seconds, and never all at once", () => {
  for (let failures = 0; failures < 40; failures++) {
    const most = reconnectDelay(failures, () => 1);
    const least = reconnectDelay(failures, () => 0);
    expect(most).toBe(Math.min(10_000, 500 * 2 ** failures));
    expect(least).toBe(most / 2);
  }
});

test("messages are read by their type, and unknown fields do no harm", () => {
  const text = JSON.stringify({ type: "wait", seconds: 3, reason: "busy", colour: "blue" });
  expect(parseMessage(text)).toMatchObject({ type: "wait", seconds: 3 });
});

test.each([
  "",
  "[]",
  "null",
  '{"type":"dance"}',
  '{"type":"toString"}',
  '{"type":"wait"}',
  '{"type":"grant","leases":[{"id":"a"}]}',
  '{"type":"heard","held":"all"}',
])("%s is not taken for a message", (text) => {
  expect(parseMessage(text)).toBeNull();
});

test("a message holds no text that the coordinator would refuse", () => {
  const detail = `lost \0 ${"😀".slice(0, 1)} 😀`;
  const lease = { lease_id: "ls_1", token: "t", reason: "error" as const, detail };
  const sent = written({ type: "abort", leases: [lease] });
  expect(JSON.parse(sent)).toEqual({ type: "abort", leases: [{ ...lease, detail: "lost   \ufffd 😀" }] });
});
