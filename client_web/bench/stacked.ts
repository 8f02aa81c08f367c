/** Several units as one graph. Samples are those of one unit, so that times compare with one unit's alone. */

import { StackedTraining } from "../src/engine/stacked/training";
import { serve } from "./measuring";
import { start, unitOf } from "./units";

serve(async (task) => {
  await start(task);
  const { recipe, bytes } = unitOf(task);
  const units = Array.from({ length: task.units }, (_, unit) => {
    const optimizer = { ...recipe.optimizer, learning_rate: recipe.optimizer.learning_rate / (1 + unit) };
    return { recipe: { ...recipe, optimizer }, bytes };
  });
  const training = await StackedTraining.open(units);
  const stepsPerEpoch = recipe.steps_per_epoch;
  return {
    stepsPerEpoch,
    async epoch() {
      const until = training.step + stepsPerEpoch;
      while (training.step < until) training.advance();
      return (await training.losses())[0] ?? 0;
    },
  };
});
