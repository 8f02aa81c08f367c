/** A stack's convolutions (as patches and products) and pools on GPUs. */

import { matMul, reshape, type Tensor } from "@tensorflow/tfjs-core";
import { type DeviceLayer, learnProduct, multiply, type Product } from "./device_layers";
import { quotient, run } from "./device_programs";
import type { Window } from "./plan";

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
