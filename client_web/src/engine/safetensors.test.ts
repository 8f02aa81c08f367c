import { expect, test } from "vitest";
import { readCheckpoint, type State, writeCheckpoint } from "./checkpoint";
import { BadTensors, type HostTensor, readSafetensors, writeSafetensors } from "./safetensors";

const one = (...values: number[]): HostTensor => ({ shape: [values.length], data: Float32Array.from(values) });

const STATE: State = {
  weights: new Map([
    ["b/kernel", { shape: [1, 2], data: Float32Array.of(1, -0) }],
    ["a/bias", one(Number.NaN)],
  ]),
  slots: new Map([["velocity", new Map([["a/bias", one(5)]])]]),
  iteration: 12,
  lossSum: 1.5,
  lossRows: 8,
  epoch: 3,
  step: 12,
};

test("a state that names no iteration is at its step", () => {
  const { metadata, tensors } = readSafetensors(writeCheckpoint(STATE));
  const rest = new Map([...tensors].filter(([key]) => key !== "optimizer/iteration"));
  expect(readCheckpoint(writeSafetensors({ metadata, tensors: rest })).iteration).toBe(12);
});

test("a checkpoint is laid out as docs/protocol.md says", () => {
  const bytes = writeCheckpoint(STATE);
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const header = new TextDecoder().decode(new Uint8Array(bytes, 8, length));
  expect(length % 8).toBe(0);
  expect(header.trimEnd()).not.toContain(" ");
  const keys = [...header.matchAll(/"([^"]+)":\{/g)].map((match) => match[1]);
  expect(keys).toEqual([
    "__metadata__",
    "accumulators/loss",
    "optimizer/iteration",
    "optimizer/velocity/a/bias",
    "weights/a/bias",
    "weights/b/kernel",
  ]);
  expect(JSON.parse(header).__metadata__).toEqual({
    epoch: "3",
    format: "potluck.checkpoint.v1",
    step: "12",
  });
});

test("a checkpoint that is read and written again has the same bytes", () => {
  const bytes = writeCheckpoint(STATE);
  expect(new Uint8Array(writeCheckpoint(readCheckpoint(bytes)))).toEqual(new Uint8Array(bytes));
});

test("a weight and a slot are float32, whatever they came as", () => {
  const count: HostTensor = { shape: [], data: Int32Array.of(250) };
  const bytes = writeCheckpoint({
    ...STATE,
    weights: new Map([["n/count", count]]),
    slots: new Map([["velocity", new Map([["n/count", count]])]]),
  });
  const { weights, slots } = readCheckpoint(bytes);
  for (const found of [weights.get("n/count"), slots.get("velocity")?.get("n/count")]) {
    expect(found).toEqual({ shape: [], data: Float32Array.of(250) });
  }
});

test("the order of insertion does not change the bytes", () => {
  const weights = new Map([...STATE.weights].reverse());
  const turned = new Uint8Array(writeCheckpoint({ ...STATE, weights }));
  expect(turned).toEqual(new Uint8Array(writeCheckpoint(STATE)));
});

test.each([
  ["empty", new ArrayBuffer(0)],
  ["a header longer than the file", Uint8Array.of(255, 255, 0, 0, 0, 0, 0, 0).buffer],
  ["no JSON", Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 65, 66).buffer],
])("%s is refused", (_, bytes) => {
  expect(() => readSafetensors(bytes)).toThrow(BadTensors);
});

test("a tensor whose bytes are cut off is refused by name", () => {
  const bytes = writeSafetensors({ metadata: {}, tensors: new Map([["x", one(1, 2, 3)]]) });
  expect(() => readSafetensors(bytes.slice(0, bytes.byteLength - 4))).toThrow("x:");
});

test("safetensors without our format are no checkpoint", () => {
  const bytes = writeSafetensors({ metadata: {}, tensors: new Map() });
  expect(() => readCheckpoint(bytes)).toThrow("format is missing");
});
