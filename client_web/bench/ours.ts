/** Potluck's engine, as a donor's tab runs it. */

import { openUnit } from "../src/engine/stacked/party";
import { serve } from "./measuring";
import { start, unitOf } from "./units";

serve(async (task) => {
  await start(task);
  const { recipe, bytes } = unitOf(task);
  const party = await openUnit(recipe, bytes);
  const stepsPerEpoch = recipe.steps_per_epoch;
  return {
    stepsPerEpoch,
    async epoch() {
      const until = party.step + stepsPerEpoch;
      while (party.step < until) party.advance();
      return (await party.losses())[0] ?? 0;
    },
  };
});
