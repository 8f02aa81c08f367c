/** Two tabs of one browser are one donor. */

import "@tensorflow/tfjs-backend-cpu";
import type { ToEngine } from "../engine/messages";
import { expect, test } from "vitest";
import { lease, Room, World } from "./testing/world";

function share(world: World): number | undefined {
  const told = world.posted.filter((message): message is Extract<ToEngine, { type: "share" }> => message.type === "share");
  return told.at(-1)?.share;
}

async function atWork(room: Room, id: string): Promise<World> {
  const world = new World("scripted", room);
  await world.ready();
  world.hear({ type: "grant", leases: [await lease(world, id)] });
  await world.trainPosted();
  return world;
}

test("tabs that train divide the device; one that pauses, stops or leaves gives its part back", async () => {
  const room = new Room();
  const first = await atWork(room, "a");
  expect(share(first)).toBe(1);
  const second = await atWork(room, "b");
  const third = await atWork(room, "c");
  expect([first, second, third].map(share)).toEqual([1 / 3, 1 / 3, 1 / 3]);
  expect(first.shown?.tabs).toBe(3);
  third.session.pause();
  expect([first, second].map(share)).toEqual([1 / 2, 1 / 2]);
  third.session.resume();
  expect(share(first)).toBe(1 / 3);
  third.session.left();
  await second.session.stop();
  expect(share(first)).toBe(1);
  first.session.setShare(0.4);
  expect(share(first)).toBe(0.4);
});

test("a tab that died without a word is forgotten, one that only speaks is not", async () => {
  const room = new Room();
  const first = await atWork(room, "a");
  const second = await atWork(room, "b");
  for (let ticks = 0; ticks < 6; ticks++) {
    first.pass(15);
    second.session.heard({ type: "tick" });
    first.session.heard({ type: "tick" });
    expect(share(first)).toBe(1 / 2);
  }
  for (let ticks = 0; ticks < 5; ticks++) {
    first.pass(15);
    first.session.heard({ type: "tick" });
  }
  expect(share(first)).toBe(1);
});

test("the same share is not told twice: a change of it forgives the rest that is still owed", async () => {
  const world = await atWork(new Room(), "a");
  const before = world.posted.filter(({ type }) => type === "share").length;
  for (let ticks = 0; ticks < 5; ticks++) world.session.heard({ type: "tick" });
  expect(world.posted.filter(({ type }) => type === "share").length).toBe(before);
});

test("a duplicated tab does not claim the leases of its original", async () => {
  const room = new Room();
  const original = await atWork(room, "a");
  const copy = new World("scripted", room);
  copy.tokens = [...original.tokens, "token-of-before"];
  await copy.ready();
  expect(copy.last("hello")?.leases).toEqual(["token-of-before"]);
});
