import "@tensorflow/tfjs-backend-cpu";
import { expect, test } from "vitest";
import { lease, World } from "./testing/world";

async function atWork(): Promise<World> {
  const world = new World("scripted");
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, "a", { to_epoch: 100 })] });
  await world.trainPosted();
  return world;
}

/** Time passes as an awake page sees it. */
function pass(world: World, seconds: number): void {
  for (let passed = 0; passed < seconds; passed += 5) world.pass(5);
}

test("an engine that falls silent is started afresh, and the second time the unit is handed back", async () => {
  const world = await atWork();
  world.progress("a", 1);
  pass(world, 50);
  expect(world.restarts).toBe(0);
  pass(world, 30);
  expect(world.restarts).toBe(1);
  expect(world.shown?.message).toContain("said nothing");
  await world.trainPosted(2);
  world.progress("a", 2);
  pass(world, 80);
  await world.until("abort");
  expect(world.last("abort")?.leases[0]).toMatchObject({ lease_id: "a", reason: "error" });
  expect(world.restarts).toBe(2);
});

test("an engine is given twenty times its own pace, and minutes for its first sign", async () => {
  const world = await atWork();
  pass(world, 290);
  expect(world.restarts).toBe(0);
  for (let step = 1; step <= 3; step++) {
    world.progress("a", step);
    pass(world, 30);
  }
  world.progress("a", 4);
  pass(world, 500);
  expect(world.restarts).toBe(0);
  pass(world, 150);
  expect(world.restarts).toBe(1);
});

test("an engine that never gets ready is started afresh too", () => {
  const world = new World("scripted");
  world.session.start();
  pass(world, 330);
  expect(world.restarts).toBe(1);
});

test("neither a pause nor a sleep is silence", async () => {
  const world = await atWork();
  world.progress("a", 1);
  world.session.pause();
  pass(world, 4_000);
  world.session.resume();
  world.progress("a", 2);
  for (let nights = 0; nights < 3; nights++) {
    world.pass(36_000);
    world.progress("a", 3 + nights);
  }
  expect(world.restarts).toBe(0);
});
