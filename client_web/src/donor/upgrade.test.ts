/** A page of another version than its coordinator's. */

import "@tensorflow/tfjs-backend-cpu";
import { expect, test } from "vitest";
import { lease, World } from "./testing/world";

test("a page finds the coordinator upgraded, finishes its unit, and is loaded anew before the next", async () => {
  const world = new World("scripted");
  await world.ready();
  const granted = await lease(world, "a");
  world.hear({ type: "grant", leases: [granted] });
  await world.trainPosted();
  world.session.disconnected();
  world.server = "next";
  await world.connect([granted]);
  world.progress("a", 5);
  expect(world.shown?.message).toContain("newer page");
  expect(world.reloads).toEqual([]);
  world.finish("a");
  await world.until("complete");
  expect(world.reloads).toEqual([]);
  world.settle("a");
  expect(world.reloads).toEqual(["next"]);
  expect(world.count("request")).toBe(1);
});

test("a page that stays old after its reload goes on as it is", async () => {
  const world = new World("scripted");
  world.server = "next";
  world.reloads.push("next");
  await world.ready();
  expect(world.count("request")).toBe(1);
  world.hear({ type: "grant", leases: [await lease(world, "a")] });
  await world.trainPosted();
  expect(world.reloads).toEqual(["next"]);
});

test("a paused page is not loaded anew: it would begin by itself", async () => {
  const world = new World("scripted");
  world.session.start();
  world.session.pause();
  world.server = "next";
  world.session.heard({ type: "prepared", backend: "cpu", reports: [] });
  await world.connect();
  expect(world.reloads).toEqual([]);
  world.session.resume();
  expect(world.reloads).toEqual(["next"]);
});

test("a protocol that is too old is answered with one reload", async () => {
  const world = new World("scripted");
  await world.ready();
  const error = { code: "protocol.too_old", message: "Old.", hint: "Reload.", expected: "", got: "", where: "" };
  world.hear({ type: "problem", error });
  expect(world.reloads).toEqual(["protocol.too_old"]);
  world.hear({ type: "problem", error });
  expect(world.shown).toMatchObject({ phase: "problem", message: "Old. Reload." });
});
