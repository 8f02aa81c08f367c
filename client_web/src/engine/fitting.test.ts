/** Choosing a backend for a kind of unit, with devices whose speeds and faults the test decides. */

import { beforeEach, expect, test } from "vitest";
import { Unavailable } from "./backends";
import { Fitting, FITTING_MS, type FittingBench } from "./fitting";
import type { BrowserBackend, Job } from "./messages";
import { knownAnswerReference } from "./reference";
import { unitKind } from "./unit_kind";

const { recipe, bytes } = knownAnswerReference();

/** Samples per second by family of units; a backend that is missing cannot be used. */
type Speeds = Partial<Record<BrowserBackend, number>>;

let speeds: Speeds;
let present: BrowserBackend | null;
let measured: [BrowserBackend, number][];

const bench: FittingBench = {
  use: (backend) => {
    if (speeds[backend] === undefined) return Promise.reject(new Unavailable("gone"));
    present = backend;
    return Promise.resolve();
  },
  speed: (_, milliseconds) => {
    if (present === null) throw new Error("no backend is present");
    measured.push([present, milliseconds]);
    const speed = speeds[present] ?? 0;
    return speed > 0 ? Promise.resolve(speed) : Promise.reject(new Error("out of memory"));
  },
};

function job(classNames: readonly string[], flops = "1000000"): Job {
  const layers = classNames.map((class_name) => ({ class_name, config: {} }));
  const topology = new TextEncoder().encode(JSON.stringify({ class_name: "Sequential", config: { layers } })).buffer;
  const unit = { ...recipe, from_epoch: 0, to_epoch: 2, flops } as Job["unit"];
  return { leaseId: "a", unit, topology, start: bytes.checkpoint, tensors: bytes.tensors, resume: null };
}

beforeEach(() => {
  speeds = { wasm: 100, webgl: 300, webgpu: 200 };
  present = null;
  measured = [];
});

test("the first unit of a kind is measured on every candidate, within two seconds together", async () => {
  const fitting = new Fitting(bench, ["wasm", "webgl", "webgpu"], {});
  const fit = await fitting.fit(job(["Conv2D", "Dense"]));
  expect(fit.backend).toBe("webgl");
  expect(fit.measured.map((report) => [report.backend, report.samples_per_second])).toEqual(Object.entries(speeds));
  expect(present).toBe("webgl");
  expect(measured.reduce((sum, [, milliseconds]) => sum + milliseconds, 0)).toBeCloseTo(FITTING_MS);
});

test("the second unit of a kind is not measured, one of another kind is", async () => {
  const fitting = new Fitting(bench, ["wasm", "webgl"], {});
  await fitting.fit(job(["Dense"]));
  speeds = { wasm: 500, webgl: 300 };
  expect(await fitting.fit(job(["Dense"]))).toMatchObject({ backend: "webgl", measured: [] });
  expect((await fitting.fit(job(["LSTM"]))).backend).toBe("wasm");
  expect(present).toBe("wasm");
  await fitting.fit(job(["Dense"]));
  expect(present).toBe("webgl");
});

test("a remembered kind is not measured", async () => {
  const fitting = new Fitting(bench, ["wasm", "webgl"], { [unitKind(job(["Dense"]))]: "wasm" });
  expect(await fitting.fit(job(["Dense"]))).toMatchObject({ backend: "wasm", measured: [] });
  expect(measured).toEqual([]);
});

test("a remembered backend that is gone is measured anew without it", async () => {
  const fitting = new Fitting(bench, ["wasm", "webgl", "webgpu"], { [unitKind(job(["Dense"]))]: "webgl" });
  delete speeds.webgl;
  const fit = await fitting.fit(job(["Dense"]));
  expect(fit.backend).toBe("webgpu");
  expect(measured.map(([backend]) => backend)).toEqual(["wasm", "webgpu"]);
});

test("a candidate that fails on the unit is passed over; the last failure is told where all do", async () => {
  const fitting = new Fitting(bench, ["wasm", "webgl"], {});
  speeds = { wasm: 100, webgl: 0 };
  expect((await fitting.fit(job(["Dense"]))).backend).toBe("wasm");
  speeds = { wasm: 0, webgl: 0 };
  await expect(fitting.fit(job(["LSTM"]))).rejects.toThrow("out of memory");
});

test("where there is one candidate nothing is measured", async () => {
  const fitting = new Fitting(bench, ["wasm"], {});
  expect(await fitting.fit(job(["Dense"]))).toMatchObject({ backend: "wasm", measured: [] });
  expect(measured).toEqual([]);
  delete speeds.wasm;
  await expect(fitting.fit(job(["Dense"]))).rejects.toThrow("gone");
});

test("kinds are told apart by layers and by what a step costs", () => {
  const kinds = [["Dense"], ["PotluckConv1D", "Dense"], ["ConvLSTM2D"], ["PotluckMultiHeadAttention"], ["AveragePooling2D"]];
  expect(kinds.map((names) => unitKind(job(names)).split(" ")[0])).toEqual([
    "dense",
    "convolution",
    "recurrent",
    "attention",
    "convolution",
  ]);
  expect(unitKind(job(["Dense"], "1000000"))).toBe(unitKind(job(["Dense"], "1500000")));
  expect(unitKind(job(["Dense"], "1000000"))).not.toBe(unitKind(job(["Dense"], "100000000")));
});
