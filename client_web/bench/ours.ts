/** Potluck's engine, as a donor's tab runs it. */

import { useBackend } from "../src/engine/backends";
import { writeCheckpoint } from "../src/engine/checkpoint";
import { writeSafetensors } from "../src/engine/safetensors";
import { type Recipe, Training } from "../src/engine/training";
import { labels, numbers, serve, sizeOf, startWeights } from "./measuring";

serve(async (task) => {
  const onLost = (reason: string): void => {
    throw new Error(reason);
  };
  await useBackend(task.backend, { forced: true, onLost });
  const { rows, batch } = task;
  const stepsPerEpoch = Math.ceil(rows / batch);
  const optimizer: Recipe["optimizer"] =
    task.optimizer === "adam" ? { name: "adam", learning_rate: 0.001 } : { name: "sgd", learning_rate: 0.01 };
  const tensors = new Map([
    ["x", { shape: [rows, ...task.shape], data: numbers(rows * sizeOf(task.shape), 1, 3) }],
    ["y", { shape: [rows], data: labels(task) }],
  ] as const);
  const training = await Training.open(
    {
      rows,
      batch_size: batch,
      steps_per_epoch: stepsPerEpoch,
      optimizer,
      loss: "sparse_categorical_crossentropy",
      from_logits: false,
      seed: 5,
    },
    {
      topology: new TextEncoder().encode(JSON.stringify(task.topology)).buffer,
      checkpoint: writeCheckpoint({
        weights: startWeights(task),
        slots: new Map(),
        iteration: 0,
        lossSum: 0,
        lossRows: 0,
        epoch: 0,
        step: 0,
      }),
      tensors: writeSafetensors({ metadata: {}, tensors }),
    },
  );
  return {
    stepsPerEpoch,
    async epoch() {
      const until = training.step + stepsPerEpoch;
      while (training.step < until) training.advance();
      return training.loss();
    },
  };
});
