/** Who may pause and who may go on: laws over long random lives. */

import { expect, test } from "vitest";
import { Arbiter, RELEASE_AFTER_MS } from "./arbiter";
import type { Reason, ReasonCode } from "./manners";

const CODES: readonly ReasonCode[] = ["battery", "data", "hours", "hidden", "busy"];
const because = (...codes: readonly ReasonCode[]): Reason[] => codes.map((code) => ({ code, text: code }));

function world() {
  let now = 0;
  let timers: { at: number; act: () => void }[] = [];
  const said: string[] = [];
  const say = (word: string) => (): void => void said.push(word);
  const later = (milliseconds: number, act: () => void) => {
    const timer = { at: now + milliseconds, act };
    timers.push(timer);
    return () => (timers = timers.filter((other) => other !== timer));
  };
  const session = { pause: say("pause"), resume: say("resume"), release: say("release") };
  const arbiter = new Arbiter(session, { later });
  const pass = (milliseconds: number): void => {
    now += milliseconds;
    const due = timers.filter(({ at }) => at <= now);
    timers = timers.filter(({ at }) => at > now);
    for (const { act } of due) act();
  };
  return { arbiter, said, pass, timers: () => timers.length };
}

test("its owner's pause outlives every condition", () => {
  const { arbiter, said } = world();
  arbiter.tell(because("battery"));
  arbiter.pause();
  arbiter.tell([]);
  arbiter.tell(because("busy", "hidden"));
  arbiter.tell([]);
  expect(said).toEqual(["pause"]);
  arbiter.resume();
  expect(said).toEqual(["pause", "resume"]);
});

test("with several reasons it goes on only after the last", () => {
  const { arbiter, said } = world();
  arbiter.tell(because("battery", "hours"));
  arbiter.tell(because("hours"));
  expect(said).toEqual(["pause"]);
  arbiter.tell([]);
  expect(said).toEqual(["pause", "resume"]);
});

test("its owner may overrule what holds now, not what comes later or comes back", () => {
  const { arbiter, said } = world();
  arbiter.tell(because("battery"));
  arbiter.resume();
  arbiter.tell(because("battery"));
  expect(said).toEqual(["pause", "resume"]);
  arbiter.tell(because("battery", "hours"));
  expect(arbiter.reasons.map(({ code }) => code)).toEqual(["hours"]);
  arbiter.tell([]);
  arbiter.tell(because("battery"));
  expect(said).toEqual(["pause", "resume", "pause", "resume", "pause"]);
});

test("a pause of ten minutes hands back once; a shorter one never", () => {
  const { arbiter, said, pass, timers } = world();
  arbiter.pause();
  pass(RELEASE_AFTER_MS - 1);
  arbiter.resume();
  pass(RELEASE_AFTER_MS);
  expect(said).not.toContain("release");
  arbiter.tell(because("hours"));
  pass(RELEASE_AFTER_MS);
  pass(RELEASE_AFTER_MS);
  expect(said.filter((word) => word === "release").length).toBe(1);
  arbiter.tell([]);
  arbiter.pause();
  arbiter.close();
  expect(timers()).toBe(0);
});

test("over any life: paused exactly while its owner or an unruled reason wants it, and said once", () => {
  let state = 3;
  const draw = (most: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  for (let life = 0; life < 200; life++) {
    const { arbiter, said } = world();
    let own = false;
    for (let turn = 0; turn < 60; turn++) {
      const what = draw(4);
      if (what === 0) arbiter.pause();
      if (what === 1) arbiter.resume();
      if (what >= 2) arbiter.tell(because(...CODES.filter(() => draw(4) === 0)));
      own = what === 0 || (own && what !== 1);
      const paused = said.at(-1) === "pause";
      expect(paused).toBe(own || arbiter.reasons.length > 0);
      expect(arbiter.byOwner).toBe(own);
      expect(said.every((word, i) => word !== said[i + 1])).toBe(true);
    }
  }
});
