import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { eventually } from "../testing/eventually";
import { sha256 } from "../protocol/sha256";
import { readCheckpoint, writeCheckpoint } from "./checkpoint";
import { mend } from "./kernels";
import { tf } from "./own_tf";
import type { FromEngine, Job } from "./messages";
import { knownAnswerReference } from "./reference";
import { Runner } from "./runner";
import { onlyState } from "./stacked/examples";
import { openUnit } from "./stacked/party";

const { recipe, bytes } = knownAnswerReference();
const END = 12;

let said: FromEngine[];
/** Milliseconds that every look at the clock takes: the test decides how slow the device is. */
let tick: number;

function runner(isLost: () => boolean = () => false): Runner {
  let now = 0;
  const clock = { now: () => (now += tick), rest: () => new Promise<void>((r) => setImmediate(r)) };
  return new Runner((event) => said.push(event), clock, isLost);
}

function job(change: Partial<Job["unit"]> = {}, resume: ArrayBuffer | null = null): Job {
  const unit: Job["unit"] = {
    id: "u",
    kind: "trial",
    study_id: "s",
    study_name: "study",
    submitter: "somebody",
    trial: 0,
    fold: null,
    repeat: 0,
    rung: 0,
    from_epoch: 0,
    to_epoch: 4,
    epochs: 4,
    ...recipe,
    topology: "",
    start: "",
    tensors: "",
    commit_steps: [5, 10, END],
    flops: "1",
    limits: { seconds: 3_600, upload_bytes: 1_000_000 },
    ...change,
  };
  return { leaseId: "a", unit, topology: bytes.topology, start: bytes.checkpoint, tensors: bytes.tensors, resume };
}

function all<T extends FromEngine["type"]>(type: T): Extract<FromEngine, { type: T }>[] {
  return said.filter((event) => event.type === type) as Extract<FromEngine, { type: T }>[];
}

async function stateAt(step: number): Promise<ArrayBuffer> {
  const training = await openUnit(recipe, bytes);
  while (training.step < step) training.advance();
  const checkpoint = writeCheckpoint(onlyState(await training.states()));
  training.dispose();
  return checkpoint;
}

beforeEach(async () => {
  await setBackend("cpu");
  said = [];
  tick = 1;
});

test("each commit step's hash is that of the state there, however the batches were sliced", async () => {
  const right = Object.fromEntries(
    await Promise.all([5, 10, END].map(async (step) => [step, await sha256(await stateAt(step))])),
  );
  for (tick of [1, 5, 500]) {
    said = [];
    const own = runner();
    await own.train([job()]);
    expect(all("finished")[0]?.progress.commitments).toEqual(right);
    expect(all("finished")[0]?.snapshot.sha256).toBe(right[END]);
    expect([...own.states("a").keys()]).toEqual([5, 10, END]);
    own.settled("a", [right[5] ?? "", "not a state"]);
    expect(all("committed").map(({ states }) => states.map(({ step, sha256: sha }) => [step, sha]))).toEqual([
      [[5, right[5]]],
    ]);
    expect(own.states("a").size).toBe(0);
  }
});

test("a unit that goes on from a state in its middle ends in the same bits", async () => {
  await runner().train([job()]);
  await runner().train([job({}, await stateAt(7))]);
  const [whole, resumed] = all("finished");
  expect(resumed?.snapshot.sha256).toBe(whole?.snapshot.sha256);
  expect(Object.keys(resumed?.progress.commitments ?? {})).toEqual(["10", "12"]);
});

test("progress tells each epoch with its mean loss, which falls", async () => {
  await runner().train([job()]);
  const losses = all("progress").filter(({ progress }) => progress.step % 3 === 0);
  expect(losses.map(({ progress }) => progress.epoch)).toEqual([1, 2, 3, 4]);
  const state = readCheckpoint(await stateAt(3));
  expect(losses[0]?.progress.loss).toBeCloseTo(state.lossSum / state.lossRows, 6);
});

test("on a slow device a state is told at least every 20 seconds", async () => {
  tick = 2_500;
  await runner().train([job({ commit_steps: [END] })]);
  expect(all("snapshot").length).toBeGreaterThanOrEqual(5);
});

test.each(["cpu", "wasm"])("weights that are no numbers end the unit at once on %s, as a result", async (backend) => {
  await setBackend(backend);
  if (backend === "wasm") mend(tf, "wasm");
  const infinite = Number.POSITIVE_INFINITY;
  const optimizer = { name: "sgd", learning_rate: infinite, momentum: 0, nesterov: false } as const;
  await runner().train([job({ optimizer })]);
  const [finished] = all("finished");
  expect(finished?.diverged).toBe(true);
  expect(finished?.snapshot.step).toBeLessThan(END);
});

test("a unit past its time limit is given up", async () => {
  tick = 4_000;
  await runner().train([job({ limits: { seconds: 30, upload_bytes: 1 } })]);
  expect(all("failed")[0]).toMatchObject({ leaseId: "a", code: "over_limit" });
  expect(all("finished")).toEqual([]);
});

test("paused, nothing is trained, and the state so far is told", async () => {
  const own = runner();
  own.pause();
  const run = own.train([job()]);
  await eventually(() => expect(all("snapshot").length).toBe(1));
  const { step } = all("snapshot")[0]?.snapshot ?? { step: 0 };
  expect(step).toBeLessThan(END);
  expect(all("finished")).toEqual([]);
  own.resume();
  await run;
  expect(all("finished").length).toBe(1);
});

test("a dropped unit is left in silence, and the next one is trained", async () => {
  const own = runner();
  own.pause();
  const first = own.train([job()]);
  await eventually(() => expect(all("snapshot").length).toBe(1));
  own.drop("a");
  own.resume();
  await first;
  await own.train([{ ...job(), leaseId: "b" }]);
  expect(all("finished").map(({ leaseId }) => leaseId)).toEqual(["b"]);
});

test("what is read from a lost GPU is never told", async () => {
  let looks = 0;
  await runner(() => ++looks > 3).train([job()]);
  expect(all("failed")[0]).toMatchObject({ leaseId: "a", code: "backend_lost" });
  expect(all("finished")).toEqual([]);
});

test("a topology that would be trained wrongly is said to be unsupported", async () => {
  const odd = { class_name: "Sequential", config: { layers: [{ class_name: "Lambda", config: {} }] } };
  const topology = new TextEncoder().encode(JSON.stringify(odd)).buffer;
  await runner().train([{ ...job(), topology }]);
  expect(all("failed")[0]).toMatchObject({ code: "unsupported" });
});

test("units leave no tensor behind, finished, dropped or failed", async () => {
  const before = memory().numTensors;
  const own = runner();
  for (let times = 0; times < 3; times++) await own.train([job()]);
  await own.train([{ ...job(), tensors: new ArrayBuffer(0) }]);
  expect(all("failed").length).toBe(1);
  expect(memory().numTensors).toBe(before);
});
