/** What Potluck's engine is given to train. */

import { useBackend } from "../src/engine/backends";
import { writeCheckpoint } from "../src/engine/checkpoint";
import { writeSafetensors } from "../src/engine/safetensors";
import type { Recipe, TrainingBytes } from "../src/engine/training";
import { labels, numbers, sizeOf, startWeights } from "./measuring";
import type { Task } from "./messages";

/** A unit of a task, with its bytes. */
export function unitOf(task: Task): { recipe: Recipe; bytes: TrainingBytes } {
  const { rows, batch } = task;
  const optimizer: Recipe["optimizer"] =
    task.optimizer === "adam" ? { name: "adam", learning_rate: 0.001 } : { name: "sgd", learning_rate: 0.01 };
  const tensors = new Map([
    ["x", { shape: [rows, ...task.shape], data: numbers(rows * sizeOf(task.shape), 1, 3) }],
    ["y", { shape: [rows], data: labels(task) }],
  ] as const);
  return {
    recipe: {
      rows,
      batch_size: batch,
      steps_per_epoch: Math.ceil(rows / batch),
      optimizer,
      loss: "sparse_categorical_crossentropy",
      from_logits: false,
      seed: 5,
    },
    bytes: {
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
  };
}

function thrown(reason: string): void {
  throw new Error(reason);
}

/** Open the task's backend. */
export async function start({ backend }: Task, onLost: (reason: string) => void = thrown): Promise<void> {
  await useBackend(backend, { forced: true, onLost });
}
