// Opens converted models with TF.js as any page would, and says what they predict and how they
// learn. `potluck-tfjs.js` is the built module, fetched at run time: it gets this page's own TF.js.
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

// Arrays travel as {shape, dtype, data}: base64 of little-endian float32 or int32.
function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}

function textOf(values) {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return btoa(text);
}

function tensor({ shape, dtype, data }) {
  const bytes = bytesOf(data);
  const values = dtype === "int32" ? new Int32Array(bytes) : new Float32Array(bytes);
  return tf.tensor(values, shape, dtype);
}

async function told(array) {
  const values = Float32Array.from(await array.data());
  return { shape: array.shape, dtype: "float32", data: textOf(values) };
}

const list = (one) => (Array.isArray(one) ? one : [one]);
const single = (many) => (many.length > 1 ? many : many[0]);

// By amounts of their own: softmax does not see what all have in common.
function disturbed(array) {
  const count = Math.max(2, array.size);
  const amounts = tf.linspace(0.1, 0.4, count).slice([0], [array.size]).reshape(array.shape);
  return tf.add(array, amounts);
}

async function predictions(model, inputs) {
  const outputs = list(model.predict(single(inputs)));
  return Promise.all(outputs.map(told));
}

// What a disturbed weight predicts; where there is no weight, a disturbed input.
async function twin(model, inputs) {
  const largest = model.weights
    .filter((weight) => weight.val.dtype === "float32")
    .reduce((most, next) => (most === null || next.val.size > most.val.size ? next : most), null);
  if (largest === null) {
    return predictions(model, inputs.map((x, index) => (index === 0 ? disturbed(x) : x)));
  }
  const before = largest.val.clone();
  largest.val.assign(disturbed(before));
  const found = await predictions(model, inputs);
  largest.val.assign(before);
  return found;
}

// Gradients of sum(output * cotangent) + penalties by weights (`<layer>/<weight>`) and inputs (`input:<n>`).
async function gradients(model, inputs, cotangents, { training, byInputs }) {
  const names = new Map();
  const weights = model.trainableWeights.map((weight) => {
    names.set(weight.val.name, weight.originalName);
    return weight.val;
  });
  const given = inputs.map((input, index) => {
    if (!byInputs || input.dtype !== "float32") return input;
    const variable = tf.variable(input, true, `parity_input_${Math.random()}`);
    names.set(variable.name, `input:${index}`);
    return variable;
  });
  const variables = [...weights, ...given.filter((x) => x instanceof core.Variable)];
  const { grads } = tf.variableGrads(() => {
    const outputs = list(model.apply(single(given), { training }));
    const products = outputs.map((y, index) => tf.sum(tf.mul(y, cotangents[index])));
    return tf.addN([...products, ...model.calculateLosses()]);
  }, variables);
  const found = {};
  for (const [name, value] of Object.entries(grads)) found[names.get(name)] = await told(value);
  for (const variable of given) if (variable instanceof core.Variable) variable.dispose();
  return found;
}

// job: {backend, url, inputs, cotangents, training, byInputs, parts}; parts: the answers asked.
async function run(job) {
  await start(job.backend);
  const model = await tf.loadLayersModel(job.url);
  // Statistics that training moves are put back, so that every part sees the same model.
  const saved = model.getWeights().map((weight) => weight.clone());
  const restore = () => model.setWeights(saved);
  const inputs = job.inputs.map(tensor);
  const answer = {};
  const asked = new Set(job.parts);
  if (asked.has("predictions")) answer.predictions = await predictions(model, inputs);
  if (asked.has("twin")) answer.twin = await twin(model, inputs);
  if (asked.has("topology")) answer.topology = model.toJSON(null, false);
  if (asked.has("gradients") || asked.has("gradientTwin")) {
    const cotangents = job.cotangents.map(tensor);
    if (asked.has("gradients")) {
      answer.gradients = await gradients(model, inputs, cotangents, job);
      restore();
    }
    if (asked.has("gradientTwin")) {
      const other = cotangents.map((c) => disturbed(c));
      answer.gradientTwin = await gradients(model, inputs, other, job);
      restore();
    }
  }
  model.dispose();
  return answer;
}

async function runInScope(job) {
  tf.engine().startScope();
  try {
    return await run(job);
  } catch (error) {
    return { error: String(error?.stack ?? error) };
  } finally {
    tf.engine().endScope();
  }
}

// Not bundled: what is tested is the file that people get.
const { install } = await import(/* @vite-ignore */ at("./potluck-tfjs.js"));
install(tf);
window.parity = { run: runInScope };
