/**
 * A vitest reporter that writes how each test ended, as `tests/support/outcomes.py` does for pytest:
 * `{ exit, outcomes: { "src/a.test.ts::suite name": "passed" | "skipped" | "failed: why" } }`.
 * A file that fails by itself, as in loading or in a hook, has an outcome under its own name. An error
 * outside all of them makes `exit` 2: nothing can be run again for it.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Reporter, SerializedError, TestCase, TestModule, TestRunEndReason, TestSuite } from "vitest/node";

interface Failure {
  readonly message: string;
}

const failed = (errors: readonly Failure[]): string => `failed: ${errors.map((error) => error.message).join("; ")}`;

/** A test's name as vitest's `-t` reads it: what it lies in and itself, with spaces between. */
function named(test: TestCase | TestSuite): string {
  return test.parent.type === "module" ? test.name : `${named(test.parent)} ${test.name}`;
}

function ended(test: TestCase): string {
  const { state, errors } = test.result();
  if (state === "failed") return failed(errors);
  return state === "passed" ? "passed" : "skipped";
}

/** What went wrong in a file beside its tests. */
function mishaps(module: TestModule): Failure[] {
  return [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => suite.errors())];
}

export default class Outcomes implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const file = process.env["POTLUCK_OUTCOMES"];
    if (file === undefined) return;
    const outcomes: Record<string, string> = {};
    for (const module of modules) {
      const errors = mishaps(module);
      outcomes[module.relativeModuleId] = errors.length > 0 ? failed(errors) : "passed";
      for (const test of module.children.allTests()) {
        const name = `${module.relativeModuleId}::${named(test)}`;
        // Tests may share a name; then one that fails speaks for all.
        if (!outcomes[name]?.startsWith("failed")) outcomes[name] = ended(test);
      }
    }
    const gaveUp = unhandled.length > 0 || reason === "interrupted";
    const exit = gaveUp ? 2 : Number(reason === "failed");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ exit, outcomes }, null, 1));
  }
}
