/** Networks that go, laptops that sleep, clocks that jump, disks that are full. */

import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { eventually } from "../testing/eventually";
import { failed, lease, snapshot, World } from "./testing/world";

const HOUR = 3_600;

beforeEach(async () => {
  await setBackend("cpu");
});

async function atWork(change: Parameters<typeof lease>[2] = {}): Promise<World> {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a", change)] });
  await world.trainPosted();
  return world;
}

test("a minute without network costs nothing: the same lease goes on, in the same engine", async () => {
  const world = await atWork();
  world.session.disconnected();
  world.pass(60);
  world.session.heard({ type: "snapshot", leaseId: "a", snapshot: snapshot(4) });
  await world.connect([await lease(world, "a")]);
  expect(world.restarts).toBe(0);
  expect(world.posted).not.toContainEqual({ type: "drop", leaseId: "a" });
  world.session.heard({ type: "snapshot", leaseId: "a", snapshot: snapshot(5) });
  await world.until("checkpoint");
  world.finish("a");
  await world.until("complete");
});

test("after an hour a unit that was leased anew goes on from the state on this device", async () => {
  const world = await atWork();
  world.session.disconnected();
  world.session.heard({ type: "snapshot", leaseId: "a", snapshot: snapshot(4) });
  world.pass(HOUR);
  await world.connect([]);
  expect(world.shown?.message).toContain("somebody else");
  expect(world.count("request")).toBe(2);
  const again = { ...(await lease(world, "b")), unit: (await lease(world, "a")).unit };
  world.hear({ type: "grant", leases: [again] });
  const { jobs } = await world.trainPosted(2);
  expect(jobs[0]).toMatchObject({ leaseId: "b", resume: world.states.get("unit-a")?.bytes });
});

test("after an hour a finished unit is handed in all the same: a late result may count", async () => {
  const world = await atWork();
  world.session.disconnected();
  world.finish("a");
  world.pass(HOUR);
  await world.connect([]);
  await world.until("complete");
  expect(world.last("complete")?.leases[0]).toMatchObject({ lease_id: "a", token: "token-a" });
  world.settle("a");
  expect(world.shown?.unitsThisSession).toBe(1);
});

test("what cannot be fetched without network waits for the next connection, unblamed", async () => {
  const world = new World("scripted");
  await world.ready();
  const granted = await lease(world, "a");
  world.downloads = "failing";
  world.hear({ type: "grant", leases: [granted] });
  world.session.disconnected();
  await eventually(() => {
    world.pass(10);
    expect(world.shown?.phase).toBe("downloading");
    expect(world.fetched.length).toBe(12);
  });
  world.downloads = "through";
  await world.connect([granted]);
  await world.trainPosted();
  expect(world.count("abort")).toBe(0);
});

test("a unit that failed while nobody could be told is handed back with the next connection", async () => {
  const world = await atWork();
  world.session.disconnected();
  world.session.heard(failed("a", "unsupported"));
  await eventually(() => expect(world.shown?.message).toContain("handed back"));
  await world.connect([await lease(world, "a")]);
  expect(world.last("abort")?.leases[0]).toMatchObject({ lease_id: "a", reason: "error" });
});

test("a connection over which nothing is answered any more is given up for a new one", async () => {
  const world = await atWork();
  world.session.heard({ type: "tick" });
  world.pass(44);
  expect(world.reopened).toBe(0);
  world.pass(2);
  expect(world.reopened).toBe(1);
  expect(world.shown?.connected).toBe(false);
  await world.connect([await lease(world, "a")]);
  world.session.heard({ type: "tick" });
  world.hear({ type: "heard", held: ["a"], stop: {} });
  world.pass(300);
  expect(world.reopened).toBe(1);
});

test("a laptop that slept for hours finds its connection dead at the first tick, and hurts no unit", async () => {
  const world = await atWork();
  world.progress("a", 2);
  world.session.heard({ type: "tick" });
  // Asleep: the clock went on, timers did not.
  world.now += 1_000 * 8 * HOUR;
  world.session.heard({ type: "tick" });
  expect(world.reopened).toBe(1);
  world.pass(10);
  expect(world.restarts).toBe(0);
  await world.connect([]);
  expect(world.count("request")).toBe(2);
});

test("a clock that is set back neither stops the talk nor delays the next request", async () => {
  const world = await atWork();
  world.session.heard({ type: "snapshot", leaseId: "a", snapshot: snapshot(2) });
  await world.until("checkpoint");
  world.session.heard(failed("a", "unsupported"));
  await world.until("abort");
  world.now -= 1_000 * 5 * HOUR;
  world.settle("a", "handed_back");
  expect(world.count("request")).toBe(1);
  world.pass(5);
  expect(world.count("request")).toBe(2);
});

test("a full disk keeps no state here, and the unit is trained and handed in all the same", async () => {
  const world = new World("real");
  world.disk = "full";
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.until("complete");
  expect(world.states.size).toBe(0);
  world.settle("a");
  expect(world.shown?.unitsThisSession).toBe(1);
});

test("a state on this device that is older than the coordinator's is not gone on from", async () => {
  const world = new World("scripted");
  await world.ready();
  world.states.set("unit-a", snapshot(1));
  const granted = await lease(world, "a", { start: await world.checkpointAt(3) });
  world.hear({ type: "grant", leases: [granted] });
  expect((await world.trainPosted()).jobs[0]?.resume).toBeNull();
  world.states.set("unit-b", snapshot(4));
  world.finish("a");
  const newer = await lease(world, "b", { start: granted.unit.start });
  world.hear({ type: "grant", leases: [newer] });
  expect((await world.trainPosted(2)).jobs[0]?.resume).not.toBeNull();
});
