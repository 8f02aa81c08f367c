/** Choosing among backends that the test makes fast, slow, wrong or absent. */

import { beforeEach, expect, test } from "vitest";
import type { BackendReport } from "../protocol/messages";
import { SoftwareOnly, Unavailable } from "./backends";
import { type Bench, chooseBackend } from "./choice";
import type { BrowserBackend } from "./messages";

interface Device {
  readonly speed: number;
  readonly right: boolean;
}

let devices: Partial<Record<BrowserBackend, Device>>;
let present: BrowserBackend | null;
/** Backends that trained the known answer, in order. */
let asked: (BrowserBackend | null)[];
let measured: number;

function device(): Device {
  const found = present === null ? undefined : devices[present];
  if (found === undefined) throw new Error("nothing is present");
  return found;
}

const bench: Bench = {
  use: (backend, forced) => {
    if (backend === "webgpu" && !forced) return Promise.reject(new SoftwareOnly("drawn by the processor"));
    if (devices[backend] === undefined) return Promise.reject(new Unavailable(`no ${backend} here`));
    present = backend;
    return Promise.resolve();
  },
  trainsRightly: () => {
    asked.push(present);
    return Promise.resolve(device().right);
  },
  speed: () => {
    measured++;
    return Promise.resolve(device().speed);
  },
};

const remembered: BackendReport[] = [
  { backend: "wasm", samples_per_second: 100, right: true, note: "" },
  { backend: "webgl", samples_per_second: 300, right: true, note: "" },
];

beforeEach(() => {
  devices = { cpu: { speed: 10, right: true }, wasm: { speed: 100, right: true }, webgl: { speed: 300, right: true } };
  present = null;
  asked = [];
  measured = 0;
});

test("the fastest of those that train rightly is chosen, and a wrong one is told kindly", async () => {
  devices.webgl = { speed: 300, right: false };
  const { backend, reports } = await chooseBackend(null, null, bench);
  expect(backend).toBe("wasm");
  expect(present).toBe("wasm");
  const webgl = reports.find((report) => report.backend === "webgl");
  expect(webgl).toMatchObject({ right: false, samples_per_second: 0 });
  expect(webgl?.note).toContain("gets a small known training wrong");
  expect(reports.some((report) => report.backend === "webgpu")).toBe(false);
});

test("what is remembered spares the measuring, not the known answer", async () => {
  expect((await chooseBackend(null, remembered, bench)).backend).toBe("webgl");
  expect(measured).toBe(0);
  expect(asked).toEqual(["webgl"]);
});

test("a GPU that computes wrong since it was lost is not used again", async () => {
  devices.webgl = { speed: 300, right: false };
  const { backend, reports } = await chooseBackend(null, remembered, bench);
  expect(backend).toBe("wasm");
  expect(asked).toEqual(["webgl", "wasm"]);
  expect(reports.find((report) => report.backend === "webgl")).toMatchObject({ right: false });
  expect(measured).toBe(0);
});

test("where nothing remembered can be used, all are measured", async () => {
  devices = { cpu: { speed: 10, right: true } };
  expect((await chooseBackend(null, remembered, bench)).backend).toBe("cpu");
  expect(measured).toBe(1);
});

test("a backend asked for by name has to get the known answer too", async () => {
  devices.webgl = { speed: 300, right: false };
  await expect(chooseBackend("webgl", remembered, bench)).rejects.toThrow("gets a small known training wrong");
  await expect(chooseBackend("webgpu", null, bench)).rejects.toThrow("no webgpu here");
  expect((await chooseBackend("cpu", null, bench)).backend).toBe("cpu");
});

test("a device on which nothing is right says so", async () => {
  devices = { cpu: { speed: 10, right: false } };
  await expect(chooseBackend(null, null, bench)).rejects.toThrow(Unavailable);
});
