import { beforeEach, describe, expect, test, vi } from "vitest";
import { INITIAL_STATE, type DonorState } from "../../donor/state";
import { Calm, HELD_MS } from "./calm";

const clock = {
  now: () => Date.now(),
  later: (milliseconds: number, act: () => void) => {
    const timer = setTimeout(act, milliseconds);
    return () => clearTimeout(timer);
  },
  random: () => 0.5,
};
const unit = (id: string): DonorState["unit"] => ({ id }) as NonNullable<DonorState["unit"]>;
const READY: DonorState = { ...INITIAL_STATE, connected: true, phase: "waiting" };
const training = (id: string, step = 0): DonorState => ({ ...READY, phase: "training", unit: unit(id), step });

function watched(): { calm: Calm; seen: DonorState[]; told: () => string[] } {
  const seen: DonorState[] = [];
  const calm = new Calm(clock, (state) => seen.push(state));
  const told = (): string[] => {
    const said = seen.map(({ phase, unit: shown }) => `${phase} ${shown?.id ?? ""}`.trim());
    return said.filter((one, n) => one !== said[n - 1]);
  };
  return { calm, seen, told };
}

describe("a calm donate page", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  test("units of a fifth of a second change what is said once in two seconds at most", () => {
    const { calm, told } = watched();
    for (let n = 0; n < 50; n++) {
      calm.take({ ...READY, phase: "downloading", unit: unit(`${n}`) });
      vi.advanceTimersByTime(20);
      for (let step = 0; step < 6; step++) {
        calm.take(training(`${n}`, step));
        vi.advanceTimersByTime(25);
      }
      calm.take({ ...training(`${n}`, 6), phase: "handing_in" });
      vi.advanceTimersByTime(15);
      calm.take(READY);
      vi.advanceTimersByTime(15);
    }
    expect(told().length).toBeLessThanOrEqual(6);
    expect(told().slice(1).every((one) => one.startsWith("training"))).toBe(true);
  });

  test("figures of one unit are shown as they come", () => {
    const { calm, seen } = watched();
    for (let step = 0; step < 9; step++) calm.take(training("a", step));
    expect(seen.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a tab that stays without work says so, and shows nothing of the old unit", () => {
    const { calm, seen } = watched();
    calm.take(training("a"));
    vi.advanceTimersByTime(60_000);
    calm.take(READY);
    expect(seen.at(-1)?.phase).toBe("training");
    vi.advanceTimersByTime(HELD_MS);
    expect(seen.at(-1)).toEqual(READY);
  });

  test("what the person does is answered at once, and so is the end", () => {
    const { calm, seen } = watched();
    calm.take(training("a"));
    const acts: Partial<DonorState>[] = [
      { phase: "paused", ownPause: true },
      { phase: "training", ownPause: false },
      { lastUnit: true },
      { phase: "stopping" },
      { phase: "stopped", unit: null },
    ];
    let state = training("a");
    for (const act of acts) {
      state = { ...state, ...act };
      calm.take(state);
      expect(seen.at(-1)).toBe(state);
    }
  });

  test("a closed one is silent", () => {
    const { calm, seen } = watched();
    calm.take(training("a"));
    calm.take(READY);
    calm.close();
    vi.advanceTimersByTime(10 * HELD_MS);
    expect(seen).toHaveLength(1);
  });
});
