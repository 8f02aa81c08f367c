/**
 * A Worker that trains one unit on a named backend and gives the weights: tests compare backends by it.
 * It can also make one kernel wrong, to show that the comparison would notice.
 */

import { engine, mul, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import { useBackend } from "./backends";
import { writeCheckpoint } from "./checkpoint";
import type { CheckAnswer, CheckRequest } from "./check_messages";
import { measureSpeed } from "./choice";
import { replaceKernel } from "./kernels/registry";
import { trainsRightly } from "./known_answer";
import type { BrowserBackend } from "./messages";
import { tf } from "./own_tf";
import { Training } from "./training";

const scope = self as unknown as DedicatedWorkerGlobalScope;

function makeWrong(kernel: string, backend: BrowserBackend): void {
  replaceKernel<unknown>(tf, kernel, backend, (stock) => {
    if (stock === null) throw new Error(`${backend} has no kernel ${kernel}`);
    const spoilt = (result: TensorInfo): TensorInfo =>
      mul("rank" in result ? (result as Tensor) : engine().makeTensorFromTensorInfo(result), 1.01);
    return (call) => {
      const found: TensorInfo | TensorInfo[] = stock(call);
      return (Array.isArray(found) ? found.map(spoilt) : spoilt(found)) as TensorInfo;
    };
  });
}

async function check(request: CheckRequest): Promise<CheckAnswer> {
  const { backend, recipe, bytes, toStep } = request;
  const onLost = (reason: string): void => {
    throw new Error(reason);
  };
  await useBackend(backend, { forced: true, onLost });
  if (request.breakKernel !== null) makeWrong(request.breakKernel, backend);
  const training = await Training.open(recipe, bytes);
  while (training.step < toStep) training.advance();
  const checkpoint = writeCheckpoint(await training.state());
  training.dispose();
  const samplesPerSecond = request.measure ? await measureSpeed() : null;
  return { checkpoint, knownAnswer: await trainsRightly(), samplesPerSecond };
}

scope.onmessage = (event: MessageEvent<CheckRequest>) => {
  check(event.data).then(
    (answer) => scope.postMessage({ answer }),
    (problem: unknown) => scope.postMessage({ problem: String(problem) }),
  );
};
