import { describe, expect, test } from "vitest";
import * as format from "./format";

describe("numbers as people read them", () => {
  test.each([
    ["0", "0 FLOP"],
    ["950", "950 FLOP"],
    ["1234", "1.23 kFLOP"],
    ["999999", "1.00 MFLOP"],
    ["1200000000000000", "1.20 PFLOP"],
    ["45600000000", "45.6 GFLOP"],
    ["9007199254740993000", "9.01 EFLOP"],
  ])("%s floating point operations read as %s", (raw, text) => {
    expect(format.flops(raw)).toBe(text);
  });

  test("a score keeps three decimals, a tiny one its size", () => {
    expect(format.score(0.98661)).toBe("0.987");
    expect(format.score(0.00012)).toBe("1.20e-4");
    expect(format.score(3121.7)).toBe("3,122");
    expect(format.score(null)).toBe("–");
  });

  test("a mean without a spread pretends none", () => {
    expect(format.meanSpread(0.987, 0.0041)).toBe("0.987 ± 0.004");
    expect(format.meanSpread(0.987, null)).toBe("0.987");
    expect(format.meanSpread(0.933, 1.36e-16)).toBe("0.933 ± 0.000");
  });

  test.each([
    [0.0021, "2.1e-3"],
    [0.0009987, "9.99e-4"],
    [0.5, "0.5"],
    [64, "64"],
    ["adam", "adam"],
    [true, "yes"],
  ])("the parameter %s reads as %s", (raw, text) => {
    expect(format.parameter(raw)).toBe(text);
  });

  test("times go from seconds to days", () => {
    expect(format.duration(45)).toBe("45 s");
    expect(format.duration(360)).toBe("6 min");
    expect(format.duration(3840)).toBe("1 h 04");
    expect(format.timeLeft(372)).toBe("about 6 minutes left");
    expect(format.timeLeft(20)).toBe("less than a minute left");
    expect(format.timeLeft(null)).toBe("");
  });

  test("an open axis of a shape reads as any", () => {
    expect(format.shape([8, null, 1])).toBe("8 × any × 1");
    expect(format.shape([])).toBe("one number");
  });
});
