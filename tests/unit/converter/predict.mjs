// Loads models with stock TF.js and predicts: node predict.mjs NODE_MODULES < jobs > results.
// A job is {folder, inputs: [{shape, dtype, values}], train}; a result is {outputs, weights,
// topology, compiled} or {error}. `compiled` is what TF.js made of the training configuration. `topology` is what TF.js itself would save. `weights` are those after one step of gradient descent on the squared outputs.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(path.join(process.argv[2], 'x.js'));
const say = console.log;
console.log = console.warn = () => {};
const tf = require('@tensorflow/tfjs-core');
const { loadLayersModel } = require('@tensorflow/tfjs-layers');
require('@tensorflow/tfjs-backend-cpu');

function handler(folder) {
  return {
    async load() {
      const head = JSON.parse(fs.readFileSync(path.join(folder, 'model.json'), 'utf8'));
      return tf.io.getModelArtifactsForJSON(head, async (manifest) => {
        const files = manifest.flatMap((group) => group.paths);
        const content = Buffer.concat(files.map((file) => fs.readFileSync(path.join(folder, file))));
        const data = content.buffer.slice(content.byteOffset, content.byteOffset + content.length);
        return [tf.io.getWeightSpecs(manifest), data];
      });
    },
  };
}

async function run(job) {
  const model = await loadLayersModel(handler(job.folder));
  const { optimizer } = model;
  const compiled = optimizer
    ? { optimizer: optimizer.getClassName(), config: optimizer.getConfig(), loss: model.loss, metrics: model.metrics }
    : null;
  const inputs = job.inputs.map((x) => tf.tensor(x.values, x.shape, x.dtype));
  const given = model.predict(inputs.length > 1 ? inputs : inputs[0]);
  const outputs = Array.isArray(given) ? given : [given];
  const found = outputs.map((y) => ({ shape: y.shape, values: Array.from(y.dataSync()) }));
  const weights = {};
  if (job.train) {
    model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
    const targets = outputs.map((y) => tf.zerosLike(y));
    await model.trainOnBatch(
      inputs.length > 1 ? inputs : inputs[0],
      targets.length > 1 ? targets : targets[0],
    );
    for (const weight of model.weights) {
      weights[weight.originalName] = Array.from(weight.read().dataSync());
    }
  }
  return { compiled, outputs: found, weights, topology: model.toJSON(null, false) };
}

await tf.setBackend('cpu');
const results = [];
for (const job of JSON.parse(fs.readFileSync(0, 'utf8'))) {
  try {
    results.push(await run(job));
  } catch (error) {
    results.push({ error: String(error.message ?? error) });
  }
}
say(JSON.stringify(results));
