/** Potluck's engine, as a donor's tab runs it. */

import { useBackend } from "../src/engine/backends";
import { Training } from "../src/engine/training";
import { given } from "./given";
import { serve } from "./measuring";

serve(async (task) => {
  const onLost = (reason: string): void => {
    throw new Error(reason);
  };
  await useBackend(task.backend, { forced: true, onLost });
  const { recipe, bytes } = given(task);
  const { steps_per_epoch: stepsPerEpoch } = recipe;
  const training = await Training.open(recipe, bytes);
  return {
    stepsPerEpoch,
    async epoch() {
      const until = training.step + stepsPerEpoch;
      while (training.step < until) training.advance();
      return training.loss();
    },
  };
});
