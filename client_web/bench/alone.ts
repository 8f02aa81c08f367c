/** One unit's epochs, whatever trains it. */

import type { Party } from "../src/engine/stacked/party";
import type { Recipe, TrainingBytes } from "../src/engine/training";
import { serve } from "./measuring";
import { start, unitOf } from "./units";

export function serveAlone(open: (recipe: Recipe, bytes: TrainingBytes) => Promise<Party>): void {
  serve(async (task) => {
    await start(task);
    const { recipe, bytes } = unitOf(task);
    const party = await open(recipe, bytes);
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
}
