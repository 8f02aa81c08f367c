/** A stack's layers on GPUs: TF.js's products of many matrices, and programs of our own between them. */

import { engine, matMul, reshape, type Tensor, tensor } from "@tensorflow/tfjs-core";
import type { Activation } from "./activations";
import { literal } from "./activations";
import { eachNumber, quotient, run } from "./device_programs";
import type { Factors } from "./dropout";
import type { Normalization, Window } from "./plan";

/** Where a step reads its weights, and where it leaves their gradients. */
export interface Weights {
  readonly units: number;
  read(name: string): Tensor;
  trains(name: string): boolean;
  /** [units, rows, columns] */
  learn(name: string, gradient: Tensor): void;
  /** [1, 1, count] of ones. */
  ones(count: number): Tensor;
  /** Replace a weight that is not trained by gradients. */
  write(name: string, value: Tensor): void;
}

export interface Moment {
  readonly rows: number;
  readonly step: number;
}

/** Tensors between layers are [units or 1, rows * places, columns]. */
export interface DeviceLayer {
  forward(x: Tensor, weights: Weights, moment: Moment): Tensor;
  /** Give the input's gradient, or null where it is not wanted. */
  backward(dy: Tensor, weights: Weights, wanted: boolean): Tensor | null;
}

function multiply(a: Tensor, b: Tensor, bias: Tensor | null, rectified: boolean): Tensor {
  if (bias === null) return matMul(a, b);
  const attrs = { transposeA: false, transposeB: false, activation: rectified ? "relu" : "linear" };
  return engine().runKernel("_FusedMatMul", { a, b, bias }, attrs) as Tensor;
}

/** TF.js takes another way for longer sums, which cannot share one factor among many products. */
const LONGEST_SUM = 1_000;
const PARTS = 32;

/** Add rows up: [units, rows, columns] -> [units, 1, columns]. */
function addRows(x: Tensor, weights: Weights): Tensor {
  const [units = 1, rows = 0, columns = 0] = x.shape;
  if (rows <= LONGEST_SUM) return matMul(weights.ones(rows), x);
  const body = `for (INT i = at.y; i < ${rows}; i = i + ${PARTS}) { value = value + getX(at.x, i, at.z); }`;
  return matMul(weights.ones(PARTS), run([units, PARTS, columns], { X: x }, body));
}

interface Product {
  readonly kernel: string;
  readonly bias: string | null;
  readonly inputs: number;
  readonly outputs: number;
  readonly rectified: boolean;
}

function learnProduct({ kernel, bias }: Product, x: Tensor, dy: Tensor, weights: Weights): void {
  if (weights.trains(kernel)) weights.learn(kernel, matMul(x, dy, true, false));
  if (bias !== null && weights.trains(bias)) weights.learn(bias, addRows(dy, weights));
}

export function denseLayer(step: Product & { readonly places: number }): DeviceLayer {
  let x: Tensor | null = null;
  let shape: number[] = [];
  return {
    forward(input, weights, { rows }) {
      shape = input.shape;
      x = reshape(input, [shape[0] ?? 1, rows * step.places, step.inputs]);
      return multiply(x, weights.read(step.kernel), step.bias === null ? null : weights.read(step.bias), step.rectified);
    },
    backward(dy, weights, wanted) {
      if (x === null) throw new Error("there was no forward pass");
      learnProduct(step, x, dy, weights);
      if (!wanted) return null;
      return reshape(matMul(dy, weights.read(step.kernel), false, true), [weights.units, shape[1] ?? 0, shape[2] ?? 0]);
    },
  };
}

/** Statements that find a place of an input from one of an output, and its tap. */
function places({ inHeight, inWidth, outHeight, outWidth }: Window, batch: number): { input: number; output: number; taken: string } {
  const output = outHeight * outWidth;
  return {
    input: inHeight * inWidth,
    output,
    taken: `INT picture = ${quotient("at.y", output, batch * output)}; INT place = at.y - picture * ${output};
      INT oh = ${quotient("place", outWidth, output)}; INT ow = place - oh * ${outWidth};`,
  };
}

function inside(window: Window, row: string, column: string): string {
  return `${row} >= 0 && ${row} < ${window.inHeight} && ${column} >= 0 && ${column} < ${window.inWidth}`;
}

/** For each number of an input: loop over the places of the output whose windows hold it. */
function holders(window: Window, batch: number, body: string): string {
  const { height, width, rowStride, columnStride, top, left, inWidth, inHeight, outHeight, outWidth } = window;
  const input = inHeight * inWidth;
  return `INT picture = ${quotient("at.y", input, batch * input)}; INT place = at.y - picture * ${input};
    INT row = ${quotient("place", inWidth, input)}; INT column = place - row * ${inWidth};
    for (INT kh = 0; kh < ${height}; kh = kh + 1) {
      INT down = row + ${top} - kh;
      INT oh = ${quotient("down", rowStride, inHeight + height)};
      if (down >= 0 && oh * ${rowStride} == down && oh < ${outHeight}) {
        for (INT kw = 0; kw < ${width}; kw = kw + 1) {
          INT across = column + ${left} - kw;
          INT ow = ${quotient("across", columnStride, inWidth + width)};
          if (across >= 0 && ow * ${columnStride} == across && ow < ${outWidth}) {
            INT spot = picture * ${outHeight * outWidth} + oh * ${outWidth} + ow;
            ${body}
          }
        }
      }
    }`;
}

function asPictures(x: Tensor, window: Window, rows: number): Tensor {
  return reshape(x, [x.shape[0] ?? 1, rows * window.inHeight * window.inWidth, window.channels]);
}

function patches(x: Tensor, window: Window, rows: number, batch: number): Tensor {
  const { height, width, channels, rowStride, columnStride, top, left, inWidth } = window;
  const { input, output, taken } = places(window, batch);
  const numbers = height * width * channels;
  const body = `${taken}
    INT tap = ${quotient("at.z", channels, numbers)}; INT channel = at.z - tap * ${channels};
    INT kh = ${quotient("tap", width, numbers)};
    INT row = oh * ${rowStride} + kh - ${top};
    INT column = ow * ${columnStride} + tap - kh * ${width} - ${left};
    if (${inside(window, "row", "column")}) { value = getX(at.x, picture * ${input} + row * ${inWidth} + column, channel); }`;
  return run([x.shape[0] ?? 1, rows * output, numbers], { X: x }, body);
}

/** `batch`: rows of a step at most. */
export function convolutionLayer(step: Product & { readonly window: Window }, batch: number): DeviceLayer {
  const { window } = step;
  let laidOut: Tensor | null = null;
  let shape: number[] = [];
  let rows = 0;
  return {
    forward(input, weights, moment) {
      ({ rows } = moment);
      shape = input.shape;
      laidOut = patches(asPictures(input, window, rows), window, rows, batch);
      return multiply(laidOut, weights.read(step.kernel), step.bias === null ? null : weights.read(step.bias), step.rectified);
    },
    backward(dy, weights, wanted) {
      if (laidOut === null) throw new Error("there was no forward pass");
      learnProduct(step, laidOut, dy, weights);
      if (!wanted) return null;
      const dPatches = matMul(dy, weights.read(step.kernel), false, true);
      const body = holders(window, batch, `value = value + getP(at.x, spot, (kh * ${window.width} + kw) * ${window.channels} + at.z);`);
      const pictures = [weights.units, rows * window.inHeight * window.inWidth, window.channels];
      return reshape(run(pictures, { P: dPatches }, body), [weights.units, shape[1] ?? 0, shape[2] ?? 0]);
    },
  };
}

/** Loop over a window's inside; `row` and `column` are its places. */
function within(window: Window, body: string): string {
  const { height, width, rowStride, columnStride, top, left } = window;
  return `for (INT kh = 0; kh < ${height}; kh = kh + 1) {
      for (INT kw = 0; kw < ${width}; kw = kw + 1) {
        INT row = oh * ${rowStride} + kh - ${top}; INT column = ow * ${columnStride} + kw - ${left};
        if (${inside(window, "row", "column")}) { ${body} }
      }
    }`;
}

export function poolLayer(window: Window, most: boolean, batch: number): DeviceLayer {
  const { input, output, taken } = places(window, batch);
  const { inWidth, rowStride, columnStride, top, left, width } = window;
  let x: Tensor | null = null;
  let shape: number[] = [];
  let rows = 0;
  const read = (row: string, column: string): string => `getX(at.x, picture * ${input} + (${row}) * ${inWidth} + ${column}, at.z)`;
  const mean = `${taken} FLOAT count = 0.0; ${within(window, `value = value + ${read("row", "column")}; count = count + 1.0;`)} value = value / count;`;
  // The first is taken whatever it is, NaN too.
  const largest = `${taken} INT found = 0; ${within(
    window,
    `FLOAT x = ${read("row", "column")}; if (found == 0 || x > value) { value = x; found = 1; }`,
  )}`;
  /** A number gets the gradient of each window in which it is the first largest. */
  const first = holders(
    window,
    batch,
    `FLOAT best = 0.0; INT best_at = -1;
    for (INT i = 0; i < ${window.height}; i = i + 1) {
      for (INT j = 0; j < ${width}; j = j + 1) {
        INT r = oh * ${rowStride} + i - ${top}; INT s = ow * ${columnStride} + j - ${left};
        if (${inside(window, "r", "s")}) {
          FLOAT x = ${read("r", "s")};
          if (best_at < 0 || x > best) { best = x; best_at = i * ${width} + j; }
        }
      }
    }
    if (best_at == kh * ${width} + kw) { value = value + getD(at.x, spot, at.z); }`,
  );
  const shared = holders(window, batch, `FLOAT count = 0.0; ${insides(window)} value = value + getD(at.x, spot, at.z) / count;`);
  return {
    forward(given, _, moment) {
      ({ rows } = moment);
      shape = given.shape;
      x = asPictures(given, window, rows);
      return run([shape[0] ?? 1, rows * output, window.channels], { X: x }, most ? largest : mean);
    },
    backward(dy, _, wanted) {
      if (x === null) throw new Error("there was no forward pass");
      if (!wanted) return null;
      const found = most ? run(x.shape, { X: x, D: dy }, first) : run(x.shape, { D: dy }, shared);
      return reshape(found, shape);
    },
  };
}

/** Count a window's inside. */
function insides(window: Window): string {
  const { height, width, rowStride, columnStride, top, left } = window;
  return `for (INT i = 0; i < ${height}; i = i + 1) {
      for (INT j = 0; j < ${width}; j = j + 1) {
        INT r = oh * ${rowStride} + i - ${top}; INT s = ow * ${columnStride} + j - ${left};
        if (${inside(window, "r", "s")}) { count = count + 1.0; }
      }
    }`;
}

/** `done`: the product before it has rectified what it gave. */
export function activationLayer(activation: Activation, done: boolean): DeviceLayer {
  let y: Tensor | null = null;
  return {
    forward(x) {
      y = done ? x : eachNumber(activation.shader, x, null);
      return y;
    },
    backward(dy, _, wanted) {
      if (y === null) throw new Error("there was no forward pass");
      return wanted ? eachNumber(activation.slopeShader, y, reshape(dy, y.shape)) : null;
    },
  };
}

export function softmaxLayer(classes: number): DeviceLayer {
  const loop = (body: string): string => `for (INT k = 0; k < ${classes}; k = k + 1) { ${body} }`;
  let y: Tensor | null = null;
  return {
    forward(x) {
      const body = `FLOAT top = getX(at.x, at.y, 0); ${loop("top = max(top, getX(at.x, at.y, k));")}
        FLOAT total = 0.0; ${loop("total = total + exp(getX(at.x, at.y, k) - top);")}
        value = exp(getX(at.x, at.y, at.z) - top) / total;`;
      y = run(x.shape, { X: x }, body);
      return y;
    },
    backward(dy, _, wanted) {
      if (y === null) throw new Error("there was no forward pass");
      const body = `FLOAT total = 0.0; ${loop("total = total + getD(at.x, at.y, k) * getY(at.x, at.y, k);")}
        value = getY(at.x, at.y, at.z) * (getD(at.x, at.y, at.z) - total);`;
      return wanted ? run(y.shape, { D: dy, Y: y }, body) : null;
    },
  };
}

export function affineLayer(scale: number, offset: number): DeviceLayer {
  return {
    forward: (x) => run(x.shape, { X: x }, `value = getX(at.x, at.y, at.z) * ${literal(scale)} + (${literal(offset)});`),
    backward: (dy, _, wanted) => (wanted ? run(dy.shape, { D: dy }, `value = getD(at.x, at.y, at.z) * ${literal(scale)};`) : null),
  };
}

export function dropoutLayer(source: Factors, size: number): DeviceLayer {
  let factors: Tensor | null = null;
  let shared = false;
  const times = (x: Tensor, units: number, from: string): Tensor => {
    if (factors === null) throw new Error("there was no forward pass");
    return run([units, x.shape[1] ?? 0, x.shape[2] ?? 0], { X: x, F: factors }, `value = getX(${from}, at.y, at.z) * getF(at.x, at.y, at.z);`);
  };
  return {
    forward(x, { units }, { rows, step }) {
      shared = x.shape[0] === 1;
      factors = tensor(source.at(step, rows * size).slice(), [units, x.shape[1] ?? 0, x.shape[2] ?? 0]);
      return times(x, units, shared ? "0" : "at.x");
    },
    backward: (dy, { units }, wanted) => (wanted ? times(reshape(dy, factors?.shape ?? dy.shape), units, "at.x") : null),
  };
}

export function normalizationLayer(step: Normalization): DeviceLayer {
  const { gamma, beta, channels, momentum, epsilon, fixed } = step;
  let x: Tensor | null = null;
  let statistics: Tensor | null = null;
  let shape: number[] = [];
  const scale = (weights: Weights): Readonly<Record<string, Tensor>> => (gamma === null ? {} : { A: weights.read(gamma) });
  const factor = gamma === null ? "1.0" : "getA(at.x, 0, at.z)";
  return {
    forward(given, weights) {
      const { units } = weights;
      shape = given.shape;
      const places = (shape[1] ?? 0) * (shape[2] ?? 0) / channels;
      const own = shape[0] === 1 ? "0" : "at.x";
      x = reshape(given, [shape[0] ?? 1, places, channels]);
      if (fixed) {
        const kept = { M: weights.read(step.mean), V: weights.read(step.variance) };
        statistics = run([units, 2, channels], kept, "value = getM(at.x, 0, at.z); if (at.y == 1) { value = getV(at.x, 0, at.z); }");
      } else {
        const body = `FLOAT mean = 0.0;
          for (INT i = 0; i < ${places}; i = i + 1) { mean = mean + getX(${own}, i, at.z); }
          mean = mean / ${literal(places)}; value = mean;
          if (at.y == 1) {
            value = 0.0;
            for (INT i = 0; i < ${places}; i = i + 1) { FLOAT off = getX(${own}, i, at.z) - mean; value = value + off * off; }
            value = value / ${literal(places)};
          }`;
        statistics = run([units, 2, channels], { X: x }, body);
        for (const [row, name] of [step.mean, step.variance].entries()) {
          const moved = `value = getO(at.x, 0, at.z) * ${literal(momentum)} + getT(at.x, ${row}, at.z) * ${literal(1 - momentum)};`;
          weights.write(name, run([units, 1, channels], { O: weights.read(name), T: statistics }, moved));
        }
      }
      const offset: Readonly<Record<string, Tensor>> = beta === null ? {} : { B: weights.read(beta) };
      const body = `FLOAT scale = ${factor} / sqrt(getT(at.x, 1, at.z) + ${literal(epsilon)});
        value = (getX(${own}, at.y, at.z) - getT(at.x, 0, at.z)) * scale ${beta === null ? "" : "+ getB(at.x, 0, at.z)"};`;
      return run([units, places, channels], { X: x, T: statistics, ...scale(weights), ...offset }, body);
    },
    backward(given, weights, wanted) {
      if (x === null || statistics === null) throw new Error("there was no forward pass");
      const { units } = weights;
      const own = x.shape[0] === 1 ? "0" : "at.x";
      const places = x.shape[1] ?? 0;
      const dy = reshape(given, [units, places, channels]);
      const deviation = `sqrt(getT(at.x, 1, at.z) + ${literal(epsilon)})`;
      const normal = (i: string): string => `(getX(${own}, ${i}, at.z) - getT(at.x, 0, at.z)) / deviation`;
      /** Row 0: the sum of gradients; row 1: of gradients times normalised inputs. */
      const sums = run(
        [units, 2, channels],
        { X: x, T: statistics, D: dy },
        `FLOAT deviation = ${deviation};
        for (INT i = 0; i < ${places}; i = i + 1) {
          FLOAT d = getD(at.x, i, at.z);
          if (at.y == 1) { d = d * ${normal("i")}; }
          value = value + d;
        }`,
      );
      const row = (index: number): Tensor => run([units, 1, channels], { Q: sums }, `value = getQ(at.x, ${index}, at.z);`);
      if (beta !== null && weights.trains(beta)) weights.learn(beta, row(0));
      if (gamma !== null && weights.trains(gamma)) weights.learn(gamma, row(1));
      if (!wanted) return null;
      const whole = fixed ? "0.0" : `(getQ(at.x, 0, at.z) + ${normal("at.y")} * getQ(at.x, 1, at.z)) / ${literal(places)}`;
      const body = `FLOAT deviation = ${deviation}; value = ${factor} / deviation * (getD(at.x, at.y, at.z) - ${whole});`;
      const inputs = { X: x, T: statistics, D: dy, ...scale(weights), ...(fixed ? {} : { Q: sums }) };
      return reshape(run([units, places, channels], inputs, body), [units, shape[1] ?? 0, shape[2] ?? 0]);
    },
  };
}
