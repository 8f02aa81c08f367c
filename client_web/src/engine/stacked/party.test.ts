import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { beforeEach, expect, test, vi } from "vitest";
import { eventually } from "../../testing/eventually";
import { sha256 } from "../../protocol/sha256";
import { readCheckpoint, type State, writeCheckpoint } from "../checkpoint";
import type { FromEngine, Job } from "../messages";
import { Runner } from "../runner";
import type { TrainingBytes } from "../training";
import { type Change, type Example, unitOf } from "./examples";
import { type StackedUnit, StackedTraining } from "./training";

const EXAMPLE: Example = {
  input: [6],
  layers: [
    ["Dense", { name: "dense", units: 5, activation: "relu" }],
    ["Dropout", { name: "dropout", rate: 0.2 }],
    ["Dense", { name: "head", units: 3, activation: "softmax" }],
  ],
  outputs: 3,
  rows: 20,
  batchSize: 8,
};
const END = 12;

let said: FromEngine[];
/** Milliseconds that every look at the clock takes. */
let tick: number;

function runner(): Runner {
  let now = 0;
  const clock = { now: () => (now += tick), rest: () => new Promise<void>((r) => setImmediate(r)) };
  return new Runner((event) => said.push(event), clock);
}

async function job(leaseId: string, change: Change = {}, to: Partial<Job["unit"]> = {}): Promise<Job> {
  const { recipe, bytes } = await unitOf(EXAMPLE, change);
  const unit: Job["unit"] = {
    id: leaseId, kind: "trial", study_id: "s", study_name: "study", submitter: "somebody",
    trial: 0, fold: null, repeat: 0, rung: 0, from_epoch: 0, to_epoch: 4, epochs: 4,
    ...recipe,
    topology: "", start: "", tensors: "", commit_steps: [5, END], flops: "1", stack: "same",
    limits: { seconds: 3_600, upload_bytes: 1_000_000 },
    ...to,
  };
  return { leaseId, unit, topology: bytes.topology, start: bytes.checkpoint, tensors: bytes.tensors, resume: null };
}

function jobs(changes: readonly Change[], to: Partial<Job["unit"]> = {}): Promise<Job[]> {
  return Promise.all(changes.map((change, i) => job("abcdefgh"[i] ?? "", change, to)));
}

function all<T extends FromEngine["type"]>(type: T): Extract<FromEngine, { type: T }>[] {
  return said.filter((event) => event.type === type) as Extract<FromEngine, { type: T }>[];
}

function finished(): Record<string, Extract<FromEngine, { type: "finished" }>> {
  return Object.fromEntries(all("finished").map((event) => [event.leaseId, event]));
}

function given({ unit, topology, start, tensors }: Job): StackedUnit {
  return { recipe: unit, bytes: { topology, checkpoint: start, tensors } satisfies TrainingBytes };
}

async function stackedAt(given_: readonly StackedUnit[], step: number): Promise<State[]> {
  const training = await StackedTraining.open(given_);
  while (training.step < step) training.advance();
  const states = await training.states();
  training.dispose();
  return states;
}

const CALM: Change = { optimizer: { name: "sgd", learning_rate: 0.05 } };
const QUICK: Change = { optimizer: { name: "sgd", learning_rate: 0.2 }, start: 3 };
const WILD: Change = { optimizer: { name: "sgd", learning_rate: Number.POSITIVE_INFINITY } };

beforeEach(async () => {
  await setBackend("cpu");
  said = [];
  tick = 1;
});

test("units together each have their own progress, commitments and end", async () => {
  const both = await jobs([CALM, QUICK]);
  await runner().train(both);
  const right = await Promise.all([5, END].map(async (step) => stackedAt(both.map(given), step)));
  for (const [index, { leaseId }] of both.entries()) {
    const event = finished()[leaseId];
    expect(event).toMatchObject({ stacked: true, diverged: false });
    const hashes = await Promise.all(right.map((states) => sha256(writeCheckpoint(states[index] as State))));
    expect(event?.progress.commitments).toEqual({ 5: hashes[0], [END]: hashes[1] });
    expect(event?.snapshot.sha256).toBe(hashes[1]);
    const own = all("progress").filter((said) => said.leaseId === leaseId && said.progress.step % 3 === 0);
    expect(own.map(({ progress }) => progress.epoch)).toEqual([1, 2, 3, 4]);
    const state = readCheckpoint(event?.snapshot.bytes ?? new ArrayBuffer(0));
    expect(own.at(-1)?.progress.loss).toBeCloseTo(state.lossSum / state.lossRows, 6);
  }
  expect(finished()["a"]?.snapshot.sha256).not.toBe(finished()["b"]?.snapshot.sha256);
});

test("on a slow device every unit's state is told now and then, and each can go on together from it", async () => {
  const both = await jobs([CALM, QUICK], { commit_steps: [END] });
  tick = 2_500;
  await runner().train(both);
  const [whole, told] = [finished(), all("snapshot")];
  const middle = both.map(({ leaseId }) => told.find((event) => event.leaseId === leaseId && event.snapshot.step > 2)?.snapshot);
  expect(middle[0]?.step).toBe(middle[1]?.step);
  said = [];
  await runner().train(both.map((one, i) => ({ ...one, resume: middle[i]?.bytes ?? null })));
  for (const { leaseId } of both) {
    expect(finished()[leaseId]?.stacked).toBe(true);
    expect(finished()[leaseId]?.snapshot.sha256).toBe(whole[leaseId]?.snapshot.sha256);
  }
});

test("units at different steps: those at one step train together, the other alone", async () => {
  const three = await jobs([CALM, QUICK, CALM]);
  const [state] = await stackedAt([given(three[1] as Job)], 4);
  const ahead = { ...(three[1] as Job), resume: writeCheckpoint(state as State) };
  await runner().train([three[0] as Job, ahead, three[2] as Job]);
  expect(Object.values(finished()).map(({ leaseId, stacked }) => [leaseId, stacked]).sort()).toEqual([
    ["a", true],
    ["b", false],
    ["c", true],
  ]);
});

test("a unit that becomes no numbers ends as diverged, and the others go on as if it had not been there", async () => {
  await runner().train(await jobs([CALM, WILD, CALM]));
  const wild = finished()["b"];
  expect(wild).toMatchObject({ diverged: true, stacked: true });
  expect(wild?.snapshot.step).toBeLessThan(END);
  const alone = await stackedAt([given(await job("a", CALM))], END);
  const right = await sha256(writeCheckpoint(alone[0] as State));
  for (const id of ["a", "c"]) expect(finished()[id]).toMatchObject({ diverged: false, snapshot: { sha256: right } });
  expect(all("progress").filter(({ leaseId, progress }) => leaseId === "b" && progress.step === END)).toEqual([]);
});

test("a stack that a unit left computes for those that are left only", async () => {
  const opened = vi.spyOn(StackedTraining, "open");
  await runner().train(await jobs([CALM, WILD, QUICK]));
  expect(opened.mock.calls.map(([units]) => units.length)).toEqual([3, 2]);
  opened.mockRestore();
  const alone = await stackedAt([given(await job("c", QUICK))], END);
  const right = await sha256(writeCheckpoint(alone[0] as State));
  expect(finished()["c"]).toMatchObject({ stacked: true, snapshot: { sha256: right } });
});

test("dropping one unit leaves the others going on, and nothing more is said of it", async () => {
  const own = runner();
  own.pause();
  const run = own.train(await jobs([CALM, QUICK]));
  await eventually(() => expect(all("snapshot").length).toBe(2));
  own.drop("a");
  const before = said.length;
  own.resume();
  await run;
  expect(Object.keys(finished())).toEqual(["b"]);
  expect(said.slice(before).every((event) => !("leaseId" in event) || event.leaseId === "b")).toBe(true);
});

test("dropped while paused, all units end in silence, and the next is trained", async () => {
  const own = runner();
  own.pause();
  const run = own.train(await jobs([CALM, QUICK]));
  await eventually(() => expect(all("snapshot").length).toBe(2));
  own.drop("a");
  own.drop("b");
  await run;
  own.resume();
  await own.train([await job("c", CALM)]);
  expect(Object.keys(finished())).toEqual(["c"]);
});

test("units that cannot stack are trained one after another, and nothing is said to be wrong", async () => {
  const softplus: Change = { layers: [["Dense", { name: "head", units: 3, activation: "softplus" }], ["Softmax", { name: "softmax", axis: -1 }]] };
  await runner().train(await jobs([softplus, softplus]));
  expect(Object.values(finished()).map(({ stacked }) => stacked)).toEqual([false, false]);
  expect(all("failed")).toEqual([]);
});

test("a unit whose bytes are bad fails by itself", async () => {
  const both = await jobs([CALM, QUICK]);
  await runner().train([{ ...(both[0] as Job), start: new ArrayBuffer(0) }, both[1] as Job]);
  expect(all("failed").map(({ leaseId }) => leaseId)).toEqual(["a"]);
  expect(Object.keys(finished())).toEqual(["b"]);
});

test("units together past their time limit are given up, each by name", async () => {
  tick = 4_000;
  await runner().train(await jobs([CALM, QUICK], { limits: { seconds: 30, upload_bytes: 1 } }));
  expect(all("failed").map(({ leaseId, code }) => [leaseId, code])).toEqual([["a", "over_limit"], ["b", "over_limit"]]);
});

test("stacks leave no tensor behind, finished, diverged or dropped", async () => {
  const before = memory().numTensors;
  const own = runner();
  for (const changes of [[CALM, QUICK], [CALM, WILD]]) await own.train(await jobs(changes));
  expect(memory().numTensors).toBe(before);
});
