/** Several units at a time, the next ones fetched meanwhile, and never more than that. */

import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { eventually } from "../testing/eventually";
import { failed, lease, snapshot, World } from "./testing/world";

const ALIKE = { stack: "s1" };

beforeEach(async () => {
  await setBackend("cpu");
});

async function alike(world: World, ...ids: string[]): Promise<Awaited<ReturnType<typeof lease>>[]> {
  return Promise.all(ids.map((id) => lease(world, id, ALIKE)));
}

test("units of one stack are trained by one order, and fetched once for all of them", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: await alike(world, "a", "b", "c") });
  const { jobs } = await world.trainPosted();
  expect(jobs.map(({ leaseId }) => leaseId)).toEqual(["a", "b", "c"]);
  expect(world.fetched.length).toBe(3);
  expect(jobs[2]?.tensors).toBe(jobs[0]?.tensors);
  expect(world.shown).toMatchObject({ phase: "training", together: 3 });
});

test("each unit of a group has its own progress, state, result and settlement", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: await alike(world, "a", "b") });
  await world.trainPosted();
  world.progress("a", 3);
  world.progress("b", 4);
  world.session.heard({ type: "tick" });
  expect(world.last("heartbeat")?.leases.map(({ lease_id, step }) => [lease_id, step])).toEqual([["a", 3], ["b", 4]]);
  world.session.heard({ type: "snapshot", leaseId: "b", snapshot: snapshot(4) });
  await world.until("checkpoint");
  expect(world.last("checkpoint")?.leases[0]?.lease_id).toBe("b");

  world.finish("a");
  world.finish("b", true);
  await world.until("complete", 2);
  const results = world.said.flatMap((message) => (message.type === "complete" ? message.leases : []));
  expect(results.map(({ lease_id, diverged, stacked }) => [lease_id, diverged, stacked])).toEqual([
    ["a", false, false],
    ["b", true, false],
  ]);
  world.settle("a");
  world.settle("b", "refused");
  expect(world.shown).toMatchObject({ unitsThisSession: 1, unit: null });
});

test("a unit that is stopped leaves the others of its group at work", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: await alike(world, "a", "b") });
  await world.trainPosted();
  world.hear({ type: "heard", held: ["b"], stop: { a: "cancelled" } });
  expect(world.posted).toContainEqual({ type: "drop", leaseId: "a" });
  expect(world.posted).not.toContainEqual({ type: "drop", leaseId: "b" });
  world.finish("b");
  await world.until("complete");
});

test("what cannot be trained together is handed back at once, without blame", async () => {
  const world = new World("scripted");
  await world.ready();
  const mixed = [...(await alike(world, "a", "b")), await lease(world, "c"), await lease(world, "d", { stack: "s2" })];
  world.hear({ type: "grant", leases: mixed });
  expect((await world.trainPosted()).jobs.map(({ leaseId }) => leaseId)).toEqual(["a", "b"]);
  const back = world.said.flatMap((message) => (message.type === "abort" ? message.leases : []));
  expect(back.map(({ lease_id, reason }) => [lease_id, reason])).toEqual([["c", "stopped"], ["d", "stopped"]]);
});

test("the next units are asked for and fetched in the last seconds, and begin at once", async () => {
  const world = new World("scripted");
  await world.ready();
  const long = await lease(world, "a", { to_epoch: 100, epochs: 100 });
  world.hear({ type: "grant", leases: [long] });
  await world.trainPosted();
  // 300 steps of a second each: nothing is asked for while they take long.
  for (let step = 1; step < 270; step += 1) {
    world.progress("a", step);
    world.pass(1);
    world.hear({ type: "heard", held: ["a"], stop: {} });
  }
  expect(world.count("request")).toBe(1);
  world.progress("a", 270);
  expect(world.count("request")).toBe(2);
  const next = await lease(world, "b");
  const before = world.fetched.length;
  world.hear({ type: "grant", leases: [next] });
  expect(world.fetched.length).toBe(before + 3);
  expect(world.posted.filter(({ type }) => type === "train").length).toBe(1);
  world.progress("a", 271);
  expect(world.count("request")).toBe(2);

  world.session.heard({ type: "tick" });
  const told = world.last("heartbeat")?.leases ?? [];
  expect(told.map(({ lease_id, step, loss }) => [lease_id, step, loss])).toEqual([["a", 271, 0.5], ["b", 0, null]]);

  world.finish("a");
  const { jobs } = await world.trainPosted(2);
  expect(jobs.map(({ leaseId }) => leaseId)).toEqual(["b"]);
  expect(world.fetched.length).toBe(before + 3);
});

test("uploading a result keeps no unit waiting", async () => {
  const world = new World("scripted");
  await world.ready();
  world.uploads = "failing";
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.finish("a");
  world.hear({ type: "grant", leases: [await lease(world, "b")] });
  await world.trainPosted(2);
  expect(world.count("complete")).toBe(0);
  world.uploads = "through";
  await eventually(() => {
    world.pass(3);
    expect(world.last("complete")?.leases[0]?.lease_id).toBe("a");
  });
});

test.each(["pause", "stop", "finishThenStop"] as const)("%s hands back at once what waits its turn", async (act) => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.progress("a", 1);
  world.pass(1);
  world.progress("a", 2);
  expect(world.count("request")).toBe(1);
  world.progress("a", 3);
  expect(world.count("request")).toBe(2);
  world.hear({ type: "grant", leases: [await lease(world, "b")] });
  expect(world.count("abort")).toBe(0);
  void world.session[act]();
  const [back] = world.said.flatMap((message) => (message.type === "abort" ? message.leases : []));
  expect(back?.lease_id).toBe("b");
  expect(back?.reason).toBe(act === "pause" ? "paused" : "stopped");
  const asked = world.count("request");
  world.progress("a", 4);
  expect(world.count("request")).toBe(asked);
});

test("after a failure of the engine at a group, each unit goes on alone from its own last state", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: await alike(world, "a", "b") });
  await world.trainPosted();
  world.session.heard({ type: "snapshot", leaseId: "b", snapshot: snapshot(4) });
  world.session.heard(failed(null, "error"));
  expect((await world.trainPosted(2)).jobs.map(({ leaseId }) => leaseId)).toEqual(["a"]);
  world.finish("a");
  const { jobs } = await world.trainPosted(3);
  expect(jobs.map(({ leaseId, resume }) => [leaseId, resume])).toEqual([["b", world.states.get("unit-b")?.bytes]]);
});
