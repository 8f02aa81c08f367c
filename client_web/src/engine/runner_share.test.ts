/** The whole engine at a share: training, snapshots and hashes count as work, whatever they take. */

import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { knownAnswerReference } from "./reference";
import { Runner } from "./runner";

const { recipe, bytes } = knownAnswerReference();

/** Train epochs on a clock on which every look takes some time; gives the share that was not rested. */
async function shareTaken(share: number, epochs: number): Promise<number> {
  let now = 0;
  let rested = 0;
  const clock = {
    now: () => (now += 3),
    rest: async (milliseconds: number) => {
      now += milliseconds;
      rested += milliseconds;
    },
  };
  const runner = new Runner(() => undefined, clock);
  runner.setShare(share);
  const unit = {
    id: "u", kind: "trial", study_id: "s", study_name: "study", submitter: "somebody", trial: 0, fold: null,
    repeat: 0, rung: 0, from_epoch: 0, to_epoch: epochs, epochs, ...recipe, topology: "", start: "", tensors: "",
    commit_steps: [epochs * recipe.steps_per_epoch], flops: "1",
    limits: { seconds: 100_000, upload_bytes: 1_000_000 },
  } as const;
  const { topology, checkpoint: start, tensors } = bytes;
  await runner.train({ leaseId: "a", unit: { ...unit, commit_steps: [...unit.commit_steps] }, topology, start, tensors, resume: null });
  return 1 - rested / now;
}

test("each share asked of the runner is the share that it takes", async () => {
  await setBackend("cpu");
  for (const share of [0.1, 0.25, 0.5]) {
    const taken = await shareTaken(share, 60);
    // Looks at the clock while resting are counted as work by this clock, which only adds.
    expect(taken).toBeGreaterThan(share - 0.02);
    expect(taken).toBeLessThan(share + 0.06);
  }
  expect(await shareTaken(1, 30)).toBe(1);
}, 30_000);
