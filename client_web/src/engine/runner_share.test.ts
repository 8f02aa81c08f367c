/** The whole engine at a share: training, snapshots and hashes count as work, whatever they take. */

import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { knownAnswerReference } from "./reference";
import { Runner } from "./runner";

const SLOWNESS = 20;
const { recipe, bytes } = knownAnswerReference();

/** Train epochs on a device that is so slow, whose rests pass at once; gives the share that was not rested. */
async function shareTaken(share: number, epochs: number): Promise<number> {
  const begun = performance.now();
  let rested = 0;
  const clock = {
    now: () => SLOWNESS * (performance.now() - begun) + rested,
    rest: async (milliseconds: number) => {
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
  await runner.train([{ leaseId: "a", unit: { ...unit, commit_steps: [...unit.commit_steps] }, topology, start, tensors, resume: null }]);
  return 1 - rested / clock.now();
}

test("each share asked of the runner is the share that it takes", async () => {
  await setBackend("cpu");
  for (const share of [0.1, 0.25, 0.5]) {
    expect(Math.abs((await shareTaken(share, 1_600)) - share)).toBeLessThan(0.03);
  }
  expect(await shareTaken(1, 20)).toBe(1);
});
