import { expect, test } from "vitest";
import type { Lease } from "../protocol/messages";
import { share } from "../pages/donate/telling";
import { hold, type Stage } from "./holding";
import { INITIAL_STATE } from "./state";
import { view } from "./view";

const unit = { id: "u", from_epoch: 4, to_epoch: 12, steps_per_epoch: 10 };
const HELD = hold({ id: "l", unit } as Lease);
const state = { ...INITIAL_STATE, backend: "wasm", connected: true } as const;
const seen = (stage: Stage) =>
  view(state, { holding: { ...HELD, stage }, together: 1, paused: false, ending: null, nowMs: 0 });

test("a unit that goes on from a rung shows the epochs and the share of the same whole", () => {
  const shown = seen("training");
  expect([shown.epoch, shown.step, shown.stepsTotal]).toEqual([4, 40, 120]);
  expect(share(shown)).toBeCloseTo(shown.epoch / unit.to_epoch);
});

test("a trained unit is handed in until it is settled, never called waiting", () => {
  for (const stage of ["handing_in", "handed_in"] as const) expect(seen(stage).phase).toBe("handing_in");
});

test("what is given up is not shown: a tab without a unit waits", () => {
  expect(seen("giving_up")).toMatchObject({ phase: "waiting", unit: null, epoch: 0, stepsTotal: 0 });
});
