/** The conversation with the coordinator, turn by turn. */

import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { eventually } from "../testing/eventually";
import { writeCheckpoint } from "../engine/checkpoint";
import { onlyState } from "../engine/stacked/examples";
import { openUnit } from "../engine/stacked/party";
import { sha256 } from "../protocol/sha256";
import { ALLOWED_BYTES, failed, lease, REFERENCE, snapshot, World } from "./testing/world";

beforeEach(async () => {
  await setBackend("cpu");
});

test("a granted unit is trained, handed in with its commitments, and counted once accepted", async () => {
  const world = new World("real");
  await world.ready();
  expect(world.last("request")).toMatchObject({ most: 8 });
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.until("complete");

  const training = await openUnit(REFERENCE.recipe, REFERENCE.bytes);
  while (training.step < 6) training.advance();
  const right = await sha256(writeCheckpoint(onlyState(await training.states())));
  training.dispose();
  const complete = world.last("complete");
  const [result] = complete?.leases ?? [];
  expect(result).toMatchObject({ lease_id: "a", token: "token-a", artifact: right, step: 6 });
  expect(Object.keys(result?.commitments ?? {})).toEqual(["3", "6"]);
  expect(world.artifacts.has(right)).toBe(true);
  // More was asked for before that, with what need not be downloaded again.
  expect(complete?.next).toBeNull();
  expect(world.last("request")?.cached).toContain((await lease(world, "a")).unit.tensors);

  world.settle("a");
  expect(world.shown).toMatchObject({ unitsThisSession: 1, unit: null, phase: "waiting" });
  expect(world.states.size).toBe(0);
  expect(world.tokens).toEqual([]);
});

test("a committed state that is asked for is brought after the unit is settled, and nothing else", async () => {
  const world = new World("real");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  world.session.finishThenStop();
  await world.until("complete");
  const asked = world.last("complete")?.leases[0]?.commitments?.["3"] ?? "";
  // Should it have gone up by the way.
  world.artifacts.delete(asked);
  world.uploads = "failing";
  world.settle("a", "accepted", { states: [asked], within_s: 600 });
  expect(world.shown).toMatchObject({ unitsThisSession: 1, unit: null });
  expect(world.shown?.phase).not.toBe("stopped");
  world.uploads = "through";
  // After its last unit the tab stays until it has answered.
  await eventually(() => {
    world.pass(3);
    expect(world.artifacts.has(asked)).toBe(true);
    expect(world.shown?.phase).toBe("stopped");
  });
});

test("a fresh engine has no committed states: nothing is brought, and nothing waits for it", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.session.finishThenStop();
  world.finish("a");
  await world.until("complete");
  world.settle("a", "accepted", { states: ["0".repeat(64)], within_s: 600 });
  expect(world.shown?.phase).not.toBe("stopped");
  world.session.heard(failed(null, "backend_lost"));
  await eventually(() => expect(world.shown?.phase).toBe("stopped"));
});

test("training goes on without a connection, and the result is handed in after the next welcome", async () => {
  const world = new World("real");
  await world.ready();
  const granted = await lease(world, "a");
  world.hear({ type: "grant", leases: [granted] });
  world.session.disconnected();
  await eventually(() => expect(world.shown?.step).toBe(6));
  expect(world.count("complete")).toBe(0);
  await world.connect([granted]);
  expect(world.last("hello")?.leases).toEqual(["token-a"]);
  await world.until("complete");
  expect(world.last("complete")?.leases[0]?.step).toBe(6);
});

test("a lease that is not resumed is put down, and other work asked for", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.session.disconnected();
  await world.connect([]);
  expect(world.posted).toContainEqual({ type: "drop", leaseId: "a" });
  expect(world.count("request")).toBe(2);
});

test("a unit that the coordinator stops is put down, and other work asked for", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.hear({ type: "heard", held: [], stop: { a: "cancelled" } });
  expect(world.posted).toContainEqual({ type: "drop", leaseId: "a" });
  expect(world.shown?.message).toContain("no longer needs");
  expect(world.count("request")).toBe(2);
});

test("without work it asks again after the wait with jitter, or soon after being told of work", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "wait", seconds: 20, reason: "no_work" });
  world.pass(19);
  expect(world.count("request")).toBe(1);
  world.pass(1);
  expect(world.count("request")).toBe(2);
  world.hear({ type: "wait", seconds: 20, reason: "no_work" });
  world.hear({ type: "work" });
  world.pass(0.2);
  expect(world.count("request")).toBe(3);
});

test("a tick tells how far each lease is", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  const progress = { epoch: 1, step: 3, loss: 0.5, samplesPerSecond: 10, commitments: { 3: "c" } };
  world.session.heard({ type: "progress", leaseId: "a", progress });
  world.session.heard({ type: "tick" });
  expect(world.last("heartbeat")?.leases).toEqual([
    { lease_id: "a", epoch: 1, step: 3, loss: 0.5, samples_per_second: 10, commitments: { 3: "c" } },
  ]);
});

test("after an error the unit goes on from its last state; after a second it is handed back, saved", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.session.heard({ type: "snapshot", leaseId: "a", snapshot: snapshot(4) });
  await world.until("checkpoint");
  world.session.heard(failed("a", "error"));
  expect(world.restarts).toBe(1);
  world.session.heard({ type: "prepared", backend: "cpu", reports: [] });
  expect((await world.trainPosted(2)).jobs[0]?.resume).toBe(world.states.get("unit-a")?.bytes);

  world.session.heard({ type: "snapshot", leaseId: "a", snapshot: snapshot(5) });
  world.session.heard(failed("a", "error"));
  await world.until("abort");
  expect(world.last("abort")?.leases[0]).toMatchObject({ lease_id: "a", reason: "error", detail: "why" });
  expect(world.last("checkpoint")?.leases[0]?.step).toBe(5);
  world.settle("a", "handed_back");
  expect(world.count("request")).toBe(1);
  world.pass(4);
  expect(world.count("request")).toBe(2);
});

test("a fresh engine says as often as the one before when to tell of leases", async () => {
  const world = new World("scripted");
  await world.ready();
  const ticks = () => world.posted.filter(({ type }) => type === "ticks");
  expect(ticks()).toHaveLength(1);
  world.session.engineCrashed("gone");
  expect(world.restarts).toBe(1);
  expect(ticks()).toEqual([ticks()[0], ticks()[0]]);
});

test("a lost GPU restarts the engine, and says nothing against the unit", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  for (let times = 1; times <= 2; times++) {
    world.session.heard(failed(null, "backend_lost"));
    // A fresh engine: preparing it trains the known answer again.
    expect(world.restarts).toBe(times);
    expect(world.posted.filter(({ type }) => type === "prepare")).toHaveLength(1 + times);
    world.session.heard({ type: "prepared", backend: "cpu", reports: [] });
    await world.trainPosted(1 + times);
  }
  expect(world.count("abort")).toBe(0);
});

test("a backend chosen for a kind of unit is remembered, and named in the result and after a restart", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  const measured = [{ backend: "webgl", samples_per_second: 1, right: true, note: "" } as const];
  world.session.heard({ type: "fitted", fit: { kind: "dense 3", backend: "webgl", measured } });
  world.session.heard({ type: "fitted", fit: { kind: "dense 4", backend: "webgl", measured: [] } });
  expect(world.kinds).toEqual({ "dense 3": "webgl" });
  const progress = { epoch: 2, step: 6, loss: 0.5, samplesPerSecond: 10, commitments: {} };
  world.session.heard({ type: "finished", leaseId: "a", snapshot: snapshot(6), progress, diverged: false, stacked: false });
  await world.until("complete");
  expect(world.last("complete")?.leases[0]?.backend).toBe("webgl");
  world.session.heard(failed(null, "backend_lost"));
  expect(world.posted.findLast(({ type }) => type === "prepare")).toMatchObject({ kinds: { "dense 3": "webgl" } });
});

test("an engine that fails again and again ends the session with the reason", async () => {
  const world = new World("scripted");
  await world.ready();
  for (let times = 0; times < 5; times++) world.session.heard(failed(null, "error"));
  expect(world.shown).toMatchObject({ phase: "problem", connected: false });
  expect(world.socket).toBe("closed");
});

test("an upload that fails for the network is tried again; one refused for size hands the unit back", async () => {
  for (const [uploads, expected] of [["failing", "complete"], [413, "abort"]] as const) {
    const world = new World("real");
    await world.ready();
    world.uploads = uploads;
    world.hear({ type: "grant", leases: [await lease(world, "a")] });
    await eventually(() => expect(world.shown?.step === 6 || world.count("abort") === 1).toBe(true));
    if (uploads === "failing") {
      expect(world.count("complete")).toBe(0);
      world.uploads = "through";
      await eventually(() => {
        world.pass(3);
        expect(world.count("complete")).toBe(1);
      });
    }
    await world.until(expected);
  }
});

test("finish, then stop: the result goes in without asking for more, then everything ends", async () => {
  const world = new World("real");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  world.session.finishThenStop();
  expect(world.shown).toMatchObject({ phase: "stopping", lastUnit: true });
  await world.until("complete");
  expect(world.last("complete")?.next).toBeNull();
  world.settle("a");
  await eventually(() => expect(world.shown?.phase).toBe("stopped"));
  expect(world.socket).toBe("closed");
});

test("stop saves what there is and hands the unit back", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.session.heard({ type: "snapshot", leaseId: "a", snapshot: snapshot(2) });
  await world.until("checkpoint");
  await world.session.stop();
  expect(world.last("abort")?.leases[0]).toMatchObject({ lease_id: "a", reason: "stopped" });
  expect(world.shown?.phase).toBe("stopped");
});

test("work that was asked for before the person stopped goes straight back", async () => {
  const world = new World("scripted");
  await world.ready();
  expect(world.count("request")).toBe(1);
  const stopped = world.session.stop();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await stopped;
  expect(world.last("abort")?.leases[0]).toMatchObject({ lease_id: "a", reason: "stopped" });
  expect(world.posted.some(({ type }) => type === "train")).toBe(false);
  expect(world.tokens).toEqual([]);
});

test("paused, a lease stays held and no more work is asked for", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.session.pause();
  expect(world.shown?.phase).toBe("paused");
  world.session.heard({ type: "tick" });
  expect(world.last("heartbeat")?.leases.length).toBe(1);
  world.hear({ type: "heard", held: [], stop: { a: "superseded" } });
  expect(world.count("request")).toBe(1);
  world.session.resume();
  expect(world.count("request")).toBe(2);
});

test("after a long pause the unit is saved and handed back, and work is asked for on going on", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.session.pause();
  world.session.heard({ type: "snapshot", leaseId: "a", snapshot: snapshot(4) });
  await world.session.release();
  expect(world.last("checkpoint")?.leases[0]?.step).toBe(4);
  expect(world.last("abort")?.leases[0]).toMatchObject({ lease_id: "a", reason: "paused" });
  expect(world.said.findIndex(({ type }) => type === "checkpoint")).toBeLessThan(
    world.said.findIndex(({ type }) => type === "abort"),
  );
  expect(world.shown).toMatchObject({ phase: "paused", unit: null });
  expect(world.shown?.message).toContain("handed back");
  expect(world.count("request")).toBe(1);
  world.session.resume();
  expect(world.count("request")).toBe(2);
});

test("a pause that ends while the unit is saved hands nothing back", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  world.session.pause();
  const released = world.session.release();
  world.session.resume();
  await released;
  expect(world.count("abort")).toBe(0);
});

test("a unit that would not fit is refused unseen, and the next request waits", async () => {
  for (const [bytes, refused] of [[ALLOWED_BYTES + 1, 1], [ALLOWED_BYTES, 0]] as const) {
    const world = new World("scripted");
    await world.ready();
    expect(world.last("hello")?.memory_bytes).toBe(ALLOWED_BYTES);
    const small = await lease(world, "a");
    world.hear({ type: "grant", leases: [{ ...small, unit: { ...small.unit, memory_bytes: bytes } }] });
    expect(world.count("abort")).toBe(refused);
    if (refused === 0) continue;
    expect(world.last("abort")?.leases[0]).toMatchObject({ lease_id: "a", reason: "over_limit" });
    expect(world.count("request")).toBe(1);
    world.pass(30);
    expect(world.count("request")).toBe(2);
  }
});

test("a page that goes gives back every lease by its token, and forgets them", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  const given = { lease_id: "a", token: "token-a", reason: "closing", detail: "" };
  expect(world.session.left()).toEqual([given]);
  expect(world.session.left()).toEqual([]);
  expect(world.tokens).toEqual([]);
});

test("a page that goes asks for nothing, until it comes back", async () => {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "wait", seconds: 1, reason: "no_work" });
  const asked = world.count("request");
  world.session.left();
  world.pass(10);
  expect(world.count("request")).toBe(asked);
  world.session.cameBack();
  expect(world.count("request")).toBe(asked + 1);
});

test("after a crash of the tab its lease is resumed from the state on this device", async () => {
  const world = new World("scripted");
  const kept = snapshot(4);
  world.tokens = ["token-a"];
  world.states.set("unit-a", kept);
  world.session.start();
  world.session.heard({ type: "prepared", backend: "cpu", reports: [] });
  await world.connect([await lease(world, "a")]);
  expect(world.last("hello")?.leases).toEqual(["token-a"]);
  expect((await world.trainPosted()).jobs[0]?.resume).toBe(kept.bytes);
  expect(world.count("request")).toBe(0);
});

test.each(["protocol.too_old", "donor.paused"])("%s ends the session and says what to do", async (code) => {
  const world = new World("scripted");
  world.reloads.push("protocol.too_old");
  await world.ready();
  const error = { code, message: "No more.", hint: "Reload.", expected: "", got: "", where: "" };
  world.hear({ type: "problem", error });
  expect(world.shown).toMatchObject({ phase: "problem", message: "No more. Reload." });
});

test("artifacts that are refused hand the unit back instead of asking for ever", async () => {
  const world = new World("scripted");
  await world.ready();
  const granted = await lease(world, "a");
  world.artifacts.clear();
  world.hear({ type: "grant", leases: [granted] });
  await world.until("abort");
  expect(world.last("abort")?.leases[0]?.reason).toBe("error");
});

test("a coordinator too busy for a result gets it again; any other refusal puts it down", async () => {
  for (const [code, times] of [["busy.database", 2], ["result.unreadable", 1]] as const) {
    const world = new World("real");
    await world.ready();
    world.hear({ type: "grant", leases: [await lease(world, "a")] });
    await world.until("complete");
    const error = { code, message: "Not now.", hint: "", expected: "", got: "", where: "" };
    world.hear({ type: "problem", error });
    world.pass(20);
    await world.until(times === 2 ? "complete" : "request", 2);
    expect(world.count("complete")).toBe(times);
    expect(world.last("complete")?.leases[0]?.lease_id).toBe("a");
  }
});
