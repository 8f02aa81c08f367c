import { writeFileSync } from "node:fs";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, expect, test } from "vitest";
import { mend } from "./kernels";
import { type Kernel, replaceKernel } from "./kernels/registry";
import { knownAnswerWeights, trainsRightly } from "./known_answer";

const restore: (() => void)[] = [];

afterEach(() => {
  restore.splice(0).forEach((undo) => undo());
});

/** Make a CPU kernel give `wrong` of what it should, until the test is over. */
function breakKernel(name: string, wrong: (right: tf.Tensor) => tf.Tensor): void {
  replaceKernel(tf, name, "cpu", (stock) => {
    restore.push(() => replaceKernel(tf, name, "cpu", () => stock as Kernel));
    return (call) => {
      const right = tf.engine().makeTensorFromTensorInfo((stock as Kernel)(call));
      return wrong(right);
    };
  });
}

test.runIf(process.env["UPDATE_KNOWN_ANSWER"])("writes the known answer", async () => {
  await tf.setBackend("cpu");
  const weights = [...(await knownAnswerWeights())].map(([name, { data }]) => [name, [...data]]);
  const file = new URL("./known_answer.gen.json", import.meta.url);
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(weights))}\n`);
});

test.each(["cpu", "wasm"] as const)("%s trains the reference to the known answer", async (backend) => {
  await tf.setBackend(backend);
  mend(tf, backend);
  expect(await trainsRightly()).toBe(true);
});

test.each(["Conv2DBackpropFilter", "MaxPoolGrad", "Relu", "Tanh", "Rsqrt", "BatchMatMul"])(
  "a device whose %s is wrong by a hundredth is found",
  async (name) => {
    await tf.setBackend("cpu");
    breakKernel(name, (right) => tf.mul(right, 1.01));
    expect(await trainsRightly()).toBe(false);
  },
);

test("a device that gives NaN is found", async () => {
  await tf.setBackend("cpu");
  breakKernel("Softmax", (right) => tf.mul(right, Number.NaN));
  expect(await trainsRightly()).toBe(false);
});
