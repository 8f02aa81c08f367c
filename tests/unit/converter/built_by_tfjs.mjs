// Builds models with stock TF.js, as pages do, saves them as a browser downloads them, and predicts:
// node built_by_tfjs.mjs NODE_MODULES > results. A result is {name: {files, inputs, outputs}}, the
// files in base64.
import path from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(path.join(process.argv[2], 'x.js'));
const say = console.log;
console.log = console.warn = () => {};
const tf = require('@tensorflow/tfjs-core');
const { input, layers: L, model, regularizers, sequential } = require('@tensorflow/tfjs-layers');
require('@tensorflow/tfjs-backend-cpu');

// What the union package adds to tensors, and TF.js's own initializer wants.
const { prototype } = Object.getPrototypeOf(tf.scalar(0)).constructor;
prototype.flatten = function () {
  return tf.reshape(this, [this.size]);
};
for (const op of ['reshape', 'sign', 'stridedSlice', 'transpose']) {
  prototype[op] = function (...args) {
    return tf[op](this, ...args);
  };
}

const SERIES = [7, 4];
const IMAGE = [8, 6, 3];
const VOLUME = [5, 4, 6, 2];
const FILM = [3, 6, 5, 2];

/** Makes a Sequential, whose first layer says the shape, as TF.js's guides have it. */
const chain = (shape, first, ...rest) => () => {
  const [make, options] = first;
  const made = sequential();
  made.add(make({ ...options, inputShape: shape }));
  for (const [next, args] of rest) made.add(next(args));
  return made;
};
const FLAT = [L.flatten, {}];
const OUT = [L.dense, { units: 2 }];

function functional() {
  const words = input({ shape: [6], dtype: 'int32', name: 'words' });
  const picture = input({ shape: IMAGE, name: 'picture' });
  const shared = L.dense({ units: 5, activation: 'swish' });
  let a = L.embedding({ inputDim: 8, outputDim: 4, maskZero: true }).apply(words);
  a = L.bidirectional({ layer: L.lstm({ units: 3 }), mergeMode: 'concat' }).apply(a);
  let b = L.conv2d({ filters: 3, kernelSize: 3, padding: 'same' }).apply(picture);
  b = L.batchNormalization().apply(b);
  b = L.reLU({}).apply(b);
  b = L.globalAveragePooling2d({}).apply(b);
  const one = shared.apply(L.dense({ units: 4 }).apply(a));
  const two = shared.apply(L.dense({ units: 4 }).apply(b));
  const joined = L.concatenate().apply([L.add().apply([one, two]), L.multiply().apply([one, two])]);
  const more = L.dot({ axes: -1 }).apply([one, two]);
  return model({ inputs: [words, picture], outputs: [L.dense({ units: 3 }).apply(joined), more] });
}

function merges() {
  const x = input({ shape: [6] });
  const each = [1, 2].map(() => L.dense({ units: 4 }).apply(x));
  const kinds = [L.add, L.multiply, L.average, L.maximum, L.minimum, L.concatenate];
  return model({ inputs: x, outputs: kinds.map((kind) => kind().apply(each)) });
}

function nested() {
  const base = sequential({ name: 'base' });
  base.add(L.dense({ units: 4, inputShape: [5], name: 'dense' }));
  const inner = sequential({ name: 'inner' });
  inner.add(L.dense({ units: 3, inputShape: [4] }));
  base.add(inner);
  const x = input({ shape: [5] });
  const y = base.apply(L.dense({ units: 5 }).apply(x));
  return model({ inputs: x, outputs: L.dense({ units: 2 }).apply(y) });
}

function sequentialInSequential() {
  const base = sequential();
  base.add(L.conv1d({ filters: 3, kernelSize: 2, inputShape: SERIES }));
  base.add(L.flatten());
  const made = sequential();
  made.add(base);
  made.add(L.dense({ units: 2 }));
  return made;
}

const CASES = {
  dense: chain([5], [L.dense, { units: 4 }], [L.dense, { units: 3, useBias: false }]),
  'dense with everything': chain([5], [
    L.dense,
    {
      units: 4,
      activation: 'selu',
      kernelInitializer: 'heNormal',
      kernelRegularizer: 'l1l2',
      biasRegularizer: regularizers.l2(),
      kernelConstraint: 'maxNorm',
      biasConstraint: 'nonNeg',
    },
  ]),
  activations: () => {
    const x = input({ shape: [6] });
    const names = ['elu', 'hardSigmoid', 'linear', 'relu', 'relu6', 'selu', 'sigmoid', 'softmax'];
    names.push('softplus', 'softsign', 'tanh', 'swish', 'mish', 'gelu', 'logSoftmax');
    const outputs = names.map((activation) =>
      L.activation({ activation }).apply(L.dense({ units: 4 }).apply(x)),
    );
    return model({ inputs: x, outputs });
  },
  rectifiers: () => {
    const x = input({ shape: SERIES });
    const kinds = [L.elu(), L.reLU(), L.reLU({ maxValue: 1.5 }), L.leakyReLU(), L.prelu({}), L.softmax({ axis: -1 })];
    kinds.push(L.thresholdedReLU({}), L.leakyReLU({ alpha: 0.1 }), L.prelu({ sharedAxes: [1] }));
    return model({ inputs: x, outputs: kinds.map((kind) => kind.apply(x)) });
  },
  noise: chain(
    SERIES,
    [L.spatialDropout1d, { rate: 0.3 }],
    [L.dropout, { rate: 0.4 }],
    [L.gaussianNoise, { stddev: 0.2 }],
    [L.gaussianDropout, { rate: 0.2 }],
    [L.alphaDropout, { rate: 0.1 }],
    OUT,
  ),
  shapes: chain(
    [12],
    [L.reshape, { targetShape: [3, 4] }],
    [L.permute, { dims: [2, 1] }],
    FLAT,
    [L.repeatVector, { n: 3 }],
    [L.reshape, { targetShape: [null, 6] }],
    OUT,
  ),
  embedding: chain([6], [L.embedding, { inputDim: 8, outputDim: 3 }], FLAT, OUT),
  masked: chain(SERIES, [L.masking, {}], [L.gru, { units: 3, resetAfter: false }]),
  conv1d: chain(SERIES, [L.conv1d, { filters: 3, kernelSize: 3 }], [L.maxPooling1d, {}], FLAT),
  conv2d: chain(
    IMAGE,
    [L.zeroPadding2d, {}],
    [L.conv2d, { filters: 4, kernelSize: [3, 2] }],
    [L.averagePooling2d, {}],
    [L.upSampling2d, {}],
    [L.cropping2D, { cropping: [[1, 0], [0, 1]] }],
    [L.conv2dTranspose, { filters: 2, kernelSize: 2 }],
    [L.separableConv2d, { filters: 3, kernelSize: 2 }],
    [L.depthwiseConv2d, { kernelSize: 2 }],
    [L.globalMaxPooling2d, {}],
  ),
  conv3d: chain(
    VOLUME,
    [L.conv3d, { filters: 3, kernelSize: 2 }],
    [L.conv3dTranspose, { filters: 2, kernelSize: 2 }],
    [L.maxPooling3d, {}],
    FLAT,
  ),
  pooling: () => {
    const series = input({ shape: SERIES });
    const image = input({ shape: IMAGE });
    const volume = input({ shape: VOLUME });
    const outputs = [
      L.averagePooling1d({ poolSize: 3, strides: 2 }).apply(series),
      L.globalAveragePooling1d().apply(series),
      L.globalMaxPooling1d().apply(series),
      L.maxPooling2d({ poolSize: 2, padding: 'same' }).apply(image),
      L.averagePooling3d({}).apply(volume),
    ];
    return model({ inputs: [series, image, volume], outputs });
  },
  normalization: chain(
    SERIES,
    [L.batchNormalization, {}],
    [L.layerNormalization, {}],
    [L.batchNormalization, { axis: 2, momentum: 0.9 }],
    OUT,
  ),
  images: chain([8, 8, 3], [L.rescaling, { scale: 1 / 127.5, offset: -1 }], FLAT),
  'images cropped': chain([8, 8, 3], [L.centerCrop, { height: 4, width: 4 }], FLAT),
  'simple rnn': chain(SERIES, [L.simpleRNN, { units: 3 }]),
  lstm: chain(SERIES, [L.lstm, { units: 3 }]),
  'lstm twice': chain(
    SERIES,
    [L.lstm, { units: 3, returnSequences: true, dropout: 0.2, recurrentDropout: 0.1 }],
    [L.lstm, { units: 2, unitForgetBias: true, goBackwards: true }],
  ),
  gru: chain(SERIES, [L.gru, { units: 3 }]),
  'gru of keras': chain(SERIES, [L.gru, { units: 3, recurrentActivation: 'sigmoid' }]),
  'conv lstm': chain(FILM, [L.convLstm2d, { filters: 2, kernelSize: 3 }]),
  'conv lstm sequences': chain(FILM, [
    L.convLstm2d,
    { filters: 2, kernelSize: 3, padding: 'same', returnSequences: true },
  ]),
  'rnn of a cell': chain(SERIES, [L.rnn, { cell: L.lstmCell({ units: 3 }) }]),
  'rnn of a gru cell': chain(SERIES, [L.rnn, { cell: L.gruCell({ units: 3 }) }]),
  'rnn of cells': () =>
    chain(SERIES, [
      L.rnn,
      { cell: [L.lstmCell({ units: 3 }), L.simpleRNNCell({ units: 4 }), L.gruCell({ units: 2 })] },
    ])(),
  'rnn of stacked cells': () =>
    chain(SERIES, [
      L.rnn,
      { cell: L.stackedRNNCells({ cells: [L.lstmCell({ units: 3 }), L.lstmCell({ units: 2 })] }) },
    ])(),
  bidirectional: () => chain(SERIES, [L.bidirectional, { layer: L.lstm({ units: 3 }) }])(),
  'bidirectional gru': () =>
    chain(
      SERIES,
      [L.bidirectional, { layer: L.gru({ units: 3, returnSequences: true }), mergeMode: 'sum' }],
      [L.bidirectional, { layer: L.simpleRNN({ units: 3 }), mergeMode: 'ave' }],
    )(),
  'time distributed': () =>
    chain(
      SERIES,
      [L.timeDistributed, { layer: L.dense({ units: 3, activation: 'relu' }) }],
      [L.lstm, { units: 2 }],
    )(),
  'time distributed conv': () =>
    chain(FILM, [L.timeDistributed, { layer: L.conv2d({ filters: 2, kernelSize: 2 }) }])(),
  functional,
  merges,
  nested,
  'sequential in sequential': sequentialInSequential,
};

let seed = 1;
/** Gives numbers from -1 to 1, the same at each start. */
const draw = () => {
  seed = (seed * 48271) % 2147483647;
  return (seed / 2147483647) * 2 - 1;
};

async function run(build) {
  const made = build();
  made.setWeights(
    made.getWeights().map((w, n) => {
      const positive = made.weights[n].originalName.endsWith('variance');
      const values = Array.from({ length: w.size }, () => (positive ? 1.5 + draw() : draw()));
      return tf.tensor(values, w.shape);
    }),
  );
  const inputs = made.inputs.map((symbol) => {
    const shape = [3, ...symbol.shape.slice(1)];
    const whole = symbol.dtype === 'int32' || made.layers[0].getClassName() === 'Embedding';
    const values = Array.from({ length: tf.util.sizeFromShape(shape) }, () =>
      whole ? Math.floor((draw() + 1) * 4) : draw(),
    );
    return tf.tensor(values, shape, symbol.dtype);
  });
  const given = made.predict(inputs.length > 1 ? inputs : inputs[0]);
  const outputs = Array.isArray(given) ? given : [given];
  const files = {};
  await made.save(
    tf.io.withSaveHandler(async (artifacts) => {
      const { weightData, weightSpecs, ...rest } = artifacts;
      const weightsManifest = [{ paths: ['./model.weights.bin'], weights: weightSpecs }];
      const head = { ...rest, weightsManifest };
      files['model.json'] = Buffer.from(JSON.stringify(head)).toString('base64');
      const content = tf.io.CompositeArrayBuffer.join(weightData);
      files['model.weights.bin'] = Buffer.from(content).toString('base64');
      return { modelArtifactsInfo: {} };
    }),
  );
  const plain = (x) => ({ shape: x.shape, dtype: x.dtype, values: Array.from(x.dataSync()) });
  return { files, inputs: inputs.map(plain), outputs: outputs.map(plain) };
}

await tf.setBackend('cpu');
const results = {};
for (const [name, build] of Object.entries(CASES)) {
  try {
    results[name] = await run(build);
  } catch (error) {
    results[name] = { error: String(error.stack ?? error) };
  }
}
say(JSON.stringify(results));
