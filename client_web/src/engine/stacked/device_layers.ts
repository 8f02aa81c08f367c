/** A stack's layers on GPUs: TF.js's products of many matrices, and programs of our own between them. */

import { engine, matMul, reshape, type Tensor, tensor } from "@tensorflow/tfjs-core";
import type { Activation } from "./activations";
import { literal } from "./activations";
import { eachNumber, run } from "./device_programs";
import type { Factors } from "./dropout";
import type { Normalization } from "./plan";

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

export function multiply(a: Tensor, b: Tensor, bias: Tensor | null, rectified: boolean): Tensor {
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

export interface Product {
  readonly kernel: string;
  readonly bias: string | null;
  readonly inputs: number;
  readonly outputs: number;
  readonly rectified: boolean;
}

export function learnProduct({ kernel, bias }: Product, x: Tensor, dy: Tensor, weights: Weights): void {
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
