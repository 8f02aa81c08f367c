import { expect, test } from "vitest";
import { SliceSize } from "./slice_size";

/** Sizes and times of many slices on a device where a batch and the wait for the device take so long. */
function slices(backend: string, batchMs: number, waitMs: number, count = 200): { batches: number; gpuMs: number }[] {
  const size = new SliceSize();
  size.open(backend);
  let state = 7;
  return Array.from({ length: count }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const jitter = 0.8 + (0.4 * state) / 2 ** 32;
    const { batches } = size;
    const warming = i === 0 ? 400 : 0;
    size.took(batches, warming + (batches * batchMs + waitMs) * jitter);
    return { batches, gpuMs: batches * batchMs };
  });
}

test.each([
  [0.1, 0.5], [0.1, 4], [0.3, 8], [1, 2], [1, 6], [2, 0.1], [3, 12],
])("on a GPU, batches of %d ms with a wait of %d ms make slices under 10 ms, not of one batch", (batchMs, waitMs) => {
  const settled = slices("webgpu", batchMs, waitMs).slice(40);
  const long = settled.filter(({ gpuMs }) => gpuMs >= 10).length;
  expect(long / settled.length).toBeLessThan(0.05);
  const mean = settled.reduce((sum, { gpuMs }) => sum + gpuMs, 0) / settled.length;
  expect(mean).toBeGreaterThan(Math.min(3, batchMs));
});

test("one batch that takes longer than a slice is trained alone", () => {
  expect(slices("webgl", 90, 1).slice(1).every(({ batches }) => batches === 1)).toBe(true);
  expect(slices("wasm", 500, 0).every(({ batches }) => batches === 1)).toBe(true);
});

test("a Worker's processor is given longer slices, short enough to hear messages", () => {
  const settled = slices("wasm", 0.5, 0).slice(40);
  expect(settled.every(({ gpuMs }) => gpuMs > 12 && gpuMs <= 60)).toBe(true);
});

test("a slow first batch, which compiles, does not make the next slices small or long", () => {
  expect(slices("webgpu", 0.2, 1).slice(1, 8).map(({ batches }) => batches)).toEqual(
    expect.arrayContaining([1, 2, 4]),
  );
  expect(slices("webgpu", 0.2, 1).slice(1, 12).every(({ gpuMs }) => gpuMs < 13)).toBe(true);
});
