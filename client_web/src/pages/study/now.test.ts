import { describe, expect, test } from "vitest";
import { nowText, type Facts } from "./now";

const DONOR = { name: "quiet-otter", backend: "webgl", units: [], samples_per_second: null };
const STUDY: Facts = {
  state: "running", reason: "", counts: {}, units_planned: 0, donors: [], seconds_left: null,
  finished_at: null, may_edit: false, spec: {},
};

describe("the sentence under the bar", () => {
  test("says that nobody trains only where the bar shows nothing in training", () => {
    const waiting = nowText({ ...STUDY, counts: { ready: 5, returned: 2 } });
    expect(waiting.text).toContain("Nobody is training");
    expect(waiting.invite).not.toBe("");
    const busy = nowText({ ...STUDY, counts: { ready: 5, leased: 4 }, donors: [DONOR], seconds_left: 400 });
    expect(busy.text).toBe("1 donor is training this study, about 7 minutes left.");
  });

  test("asks those for help who may train it", () => {
    const group = { ...STUDY, spec: { donors: "group" as const }, counts: { ready: 5 } };
    expect(nowText(group)).toEqual({
      text: "Nobody is training this study right now. It waits for donors of its group.",
      invite: "",
    });
    expect(nowText({ ...group, may_edit: true }).invite).toBe("Open a donor tab");
    expect(nowText({ ...group, donors: [DONOR] }).invite).toBe("");
    const orphan = nowText({ ...group, group_gone: true, may_edit: true });
    expect(orphan.text).toContain("Its group was deleted: it waits for its submitter's own donors.");
    expect(orphan.invite).toBe("Open a donor tab");
  });

  test("asks nobody for help with what only the coordinator can do", () => {
    const scoring = nowText({ ...STUDY, counts: { returned: 2, scored: 10 }, units_planned: 12 });
    expect(scoring).toEqual({ text: "The last 2 results of this study are being scored.", invite: "" });
    // Trials that are still to be made are work for donors.
    expect(nowText({ ...STUDY, counts: { returned: 2 }, units_planned: 12 }).invite).not.toBe("");
  });

  test("says that the best results are being trained again", () => {
    const checking = nowText({ ...STUDY, counts: { scored: 12 }, units_planned: 12, checks_open: 3 });
    expect(checking.text).toBe("The coordinator trains the best results again to confirm them: 3 to go.");
    expect(checking.invite).toBe("");
  });

  test("gives the reason where there is one", () => {
    expect(nowText({ ...STUDY, state: "failed", reason: "The layer dense is too large." }).text).toBe(
      "The layer dense is too large.",
    );
  });
});
