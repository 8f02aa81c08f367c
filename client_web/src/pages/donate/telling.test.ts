import { describe, expect, test } from "vitest";
import { INITIAL_STATE, type DonorState, type Phase } from "../../donor/state";
import { minuteOf, timeOf } from "./hours";
import { doing, loss, machine, place, resting, share, title } from "./telling";

const unit = {
  kind: "trial", trial: 51, fold: 1, submitter: "the digits lab", study_name: "Digits",
} as NonNullable<DonorState["unit"]>;
const training: DonorState = { ...INITIAL_STATE, phase: "training", unit, step: 18, stepsTotal: 27 };

describe("what the donate page says", () => {
  test("every phase has its sentence", () => {
    const phases: Phase[] = [
      "measuring", "connecting", "waiting", "downloading", "training", "handing_in", "paused", "stopping", "stopped", "problem",
    ];
    const sentences = phases.map((phase) => doing({ ...training, phase }));
    expect(new Set(sentences).size).toBe(phases.length);
    expect(doing(training)).toContain("the digits lab");
  });

  test("a pause says why, its owner's first, and every condition that holds", () => {
    const paused: DonorState = { ...training, phase: "paused" };
    const reasons = [
      { code: "battery", text: "this device runs on battery (34%). It goes on when charging." },
      { code: "hidden", text: "this tab is hidden. It goes on when you look at it." },
    ] as const;
    expect(doing({ ...paused, reasons })).toBe(
      "Paused: this device runs on battery (34%). It goes on when charging. Also, this tab is hidden. It goes on when you look at it.",
    );
    expect(doing({ ...paused, reasons, ownPause: true })).toContain("until you go on");
    expect(resting({ ...paused, reasons })).toBe(false);
    expect(resting({ ...paused, reasons: [{ code: "busy", text: "" }] })).toBe(true);
  });

  test("the tab's title tells how far the unit is, and nothing of it otherwise", () => {
    expect(title(training)).toBe("66% · Potluck");
    expect(title({ ...training, phase: "paused", ownPause: true })).toBe("Paused · Potluck");
    expect(title({ ...training, phase: "stopped" })).toBe("Donate · Potluck");
    expect(title(INITIAL_STATE)).toBe("Donate · Potluck");
  });

  test("times of day read back as they were written", () => {
    for (let minute = 0; minute < 1_440; minute++) expect(minuteOf(timeOf(minute))).toBe(minute);
    expect(["", "7:00", "24:00", "12:60"].map(minuteOf)).toEqual([null, null, null, null]);
  });

  test("folds are counted from one, and a refit says what it is for", () => {
    expect(place(training)).toBe("Trial 51, fold 2");
    expect(place({ ...training, unit: { ...unit, kind: "refit" } })).toContain("on all training rows");
    expect(place(INITIAL_STATE)).toBe("");
  });

  test("the share of a unit stays between nothing and all", () => {
    expect(share(training)).toBeCloseTo(2 / 3);
    expect(share(INITIAL_STATE)).toBe(0);
    expect(share({ ...training, step: 40 })).toBe(1);
  });

  test("an unsaved unit is not called safe", () => {
    expect(loss({ ...training, savedSecondsAgo: null })).toMatch(/Not saved yet/);
    expect(loss({ ...training, savedSecondsAgo: 6 })).toMatch(/almost nothing/);
    expect(loss({ ...training, savedSecondsAgo: 300 })).toMatch(/5 min ago; closing the tab loses/);
  });

  test("the backend is named with its measured speed", () => {
    expect(machine({ ...training, backend: "webgpu", samplesPerSecond: 41200 })).toBe(
      "WebGPU on this device's graphics card · 41,200 samples a second",
    );
    expect(machine(INITIAL_STATE)).toBe("");
  });

  test("units that train at once, and tabs that divide the device, are counted", () => {
    expect(place({ ...training, together: 8 })).toBe("Trial 51, fold 2, and 7 more like it at once");
    expect(place({ ...training, together: 1 })).toBe("Trial 51, fold 2");
    expect(machine({ ...training, backend: "wasm", tabs: 2 })).toContain("2 tabs divide this device");
  });
});
