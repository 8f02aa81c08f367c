/** Stock TF.js: `model.fit`, as its documentation has it, in a Worker. */

import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import wasmUrl from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import wasmSimdUrl from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import wasmThreadsUrl from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import "@tensorflow/tfjs-backend-webgl";
import "@tensorflow/tfjs-backend-webgpu";
import { env, setBackend, tensor, train } from "@tensorflow/tfjs-core";
import { models } from "@tensorflow/tfjs-layers";
import { labels, numbers, serve, sizeOf, startWeights } from "./measuring";

setWasmPaths({
  "tfjs-backend-wasm.wasm": wasmUrl,
  "tfjs-backend-wasm-simd.wasm": wasmSimdUrl,
  "tfjs-backend-wasm-threaded-simd.wasm": wasmThreadsUrl,
});

serve(async (task) => {
  // Its threads do not start in a Worker that is a module.
  env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  if (!(await setBackend(task.backend))) throw new Error(`${task.backend} does not start`);
  const model = await models.modelFromJSON({ modelTopology: task.topology } as never);
  const start = startWeights(task);
  for (const weight of model.weights) {
    const found = start.get(weight.originalName);
    if (found === undefined) throw new Error(`no start for ${weight.originalName}`);
    weight.write(tensor(found.data, found.shape));
  }
  const optimizer = task.optimizer === "adam" ? train.adam(0.001) : train.sgd(0.01);
  model.compile({ optimizer, loss: "sparseCategoricalCrossentropy" });
  const x = tensor(numbers(task.rows * sizeOf(task.shape), 1, 3), [task.rows, ...task.shape]);
  const y = tensor(Float32Array.from(labels(task)), [task.rows, 1]);
  return {
    stepsPerEpoch: Math.ceil(task.rows / task.batch),
    async epoch() {
      const { history } = await model.fit(x, y, { batchSize: task.batch, epochs: 1, shuffle: true, verbose: 0, yieldEvery: "never" });
      return Number(history["loss"]?.[0]);
    },
  };
});
