/** Potluck's engine, as a donor's tab runs it. */

import { Training } from "../src/engine/training";
import { serve } from "./measuring";
import { start, unitOf } from "./units";

serve(async (task) => {
  await start(task);
  const { recipe, bytes } = unitOf(task);
  const training = await Training.open(recipe, bytes);
  const stepsPerEpoch = recipe.steps_per_epoch;
  return {
    stepsPerEpoch,
    async epoch() {
      const until = training.step + stepsPerEpoch;
      while (training.step < until) training.advance();
      return training.loss();
    },
  };
});
