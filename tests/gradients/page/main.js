// One layer's gradients on one backend, with TF.js as it comes (`?stock`) or with `potluck-tfjs.js` installed,
// which is fetched at run time: what is audited is the file that people get.
import * as core from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import * as layers from "@tensorflow/tfjs-layers";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-webgl";
import "@tensorflow/tfjs-backend-webgpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import { differences } from "./differences.js";
import { Subject } from "./subject.js";
import { steps } from "./steps.js";

const tf = { ...core, ...layers };
const at = (path) => new URL(path, document.baseURI).href;
setWasmPaths({
  "tfjs-backend-wasm.wasm": at(plain),
  "tfjs-backend-wasm-simd.wasm": at(simd),
  "tfjs-backend-wasm-threaded-simd.wasm": at(threaded),
});
tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);

async function start(backend) {
  if (tf.getBackend() !== backend && !(await tf.setBackend(backend))) {
    throw new Error(`TF.js did not start ${backend}`);
  }
}

function textOf(values) {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

// Everything that an answer holds is named by what it is differentiated by: `input:0`, `layer/kernel`.
function told(named) {
  return Object.fromEntries(Object.entries(named).map(([name, values]) => [name, textOf(values)]));
}

async function inScope(work) {
  tf.engine().startScope();
  try {
    return await work();
  } catch (problem) {
    return { error: String(problem?.message ?? problem) };
  } finally {
    tf.engine().endScope();
  }
}

// The analytic gradients, or for a case of an optimizer the weights after some steps.
function analytic(job, backend) {
  return inScope(async () => {
    await start(backend);
    if (job.optimizer !== null) return { output: "", gradients: told(await steps(tf, job)) };
    const subject = new Subject(tf, job);
    try {
      const output = textOf(await subject.output());
      const { found, problems } = await subject.gradients();
      return { output, gradients: told(found), problems };
    } finally {
      subject.dispose();
    }
  });
}

// Slopes along random directions, by finite differences on the CPU backend.
function numeric(job) {
  return inScope(async () => {
    await start("cpu");
    const subject = new Subject(tf, job);
    try {
      const slopes = await differences(subject, job);
      return {
        slopes: slopes.map(({ direction, ...rest }) => ({ ...rest, direction: textOf(direction) })),
      };
    } finally {
      subject.dispose();
    }
  });
}

// Let a kernel's results be a hundredth too large from now on.
function spoil(kernelName, backendName) {
  const stock = tf.getKernel(kernelName, backendName);
  tf.unregisterKernel(kernelName, backendName);
  const kernelFunc = (call) =>
    tf.tidy(() => {
      const result = stock.kernelFunc(call);
      return tf.mul("rank" in result ? result : tf.engine().makeTensorFromTensorInfo(result), 1.01);
    });
  tf.registerKernel({ ...stock, kernelFunc });
}

if (!new URLSearchParams(location.search).has("stock")) {
  const { install } = await import(/* @vite-ignore */ at("./potluck-tfjs.js"));
  install(tf);
}
window.gradients = { analytic, numeric, spoil };
