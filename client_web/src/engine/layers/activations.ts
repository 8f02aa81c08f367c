/**
 * Keras's activations that TF.js lacks or computes otherwise, registered as `potluck_<name>`. Each with
 * Keras 3's defaults; the gradient at a kink is the one of Keras on JAX.
 */

import type { serialization, Tensor } from "@tensorflow/tfjs-core";
import { fixed, type Tf } from "./kit";

type Formula = (x: Tensor) => Tensor;


/** Give 1 where x > 0, else 0; its own gradient is zero. */
export function above(tf: Tf, x: Tensor, threshold = 0): Tensor {
  return tf.step(tf.sub(x, threshold));
}

/**
 * Keras's sparsemax: its threshold adds up running sums, (k - rank + 1) times the value of each rank, and
 * so differs from the published one where more than one value stays.
 */
function sparsemax(tf: Tf): Formula {
  return (x) => {
    const width = x.shape[x.rank - 1] ?? 1;
    const flat = tf.reshape(x, [-1, width]);
    // What stays, and how often its value counts, are found from values only.
    const counted = fixed(tf, () => {
      const { values, indices } = tf.topk(flat, width);
      const ranks = tf.range(1, width + 1);
      const stays = tf.step(tf.add(1, tf.sub(tf.mul(ranks, values), tf.cumsum(values, 1))));
      const count = tf.sum(stays, 1, true);
      // Sorted back: the place at which each element came in the order of values.
      const places = tf.topk(tf.neg(tf.cast(indices, "float32")), width).indices;
      return tf.concat([count, tf.relu(tf.sub(count, tf.cast(places, "float32")))], 1);
    });
    const count = tf.slice(counted, [0, 0], [-1, 1]);
    const times = tf.slice(counted, [0, 1], [-1, -1]);
    const tau = tf.div(tf.sub(tf.sum(tf.mul(times, flat), 1, true), 1), count);
    return tf.reshape(tf.relu(tf.sub(flat, tau)), x.shape);
  };
}

/**
 * Logarithms of softmax over the last axis. WebGL's products read the padding of their operands, where
 * TF.js's own leaves the logarithm of zero; here it stays finite, and zero in the gradient.
 */
export function logSoftmax(tf: Tf, x: Tensor): Tensor {
  const found = tf.customGrad((value, save) => {
    const logits = value as Tensor;
    (save as (kept: Tensor[]) => void)([tf.softmax(logits)]);
    const shifted = tf.sub(logits, tf.max(logits, -1, true));
    // The largest logit alone gives 1 to the sum.
    const total = tf.maximum(tf.sum(tf.exp(shifted), -1, true), 1);
    const gradFunc = (dy: Tensor, [shares]: Tensor[]): Tensor => {
      if (shares === undefined) throw new Error("softmax was not kept");
      return tf.sub(dy, tf.mul(tf.sum(dy, -1, true), shares));
    };
    return { value: tf.sub(shifted, tf.log(total)), gradFunc };
  });
  return found(x);
}

function formulas(tf: Tf): Readonly<Record<string, Formula>> {
  const clip = (x: Tensor, low: number, high: number): Tensor => tf.minimum(tf.maximum(x, low), high);
  const hardSigmoid: Formula = (x) => tf.div(tf.relu6(tf.add(x, 3)), 6);
  // exp of what is cut off, so that no infinity meets a zero.
  const below: Formula = (x) => tf.sub(tf.exp(tf.minimum(x, 0)), 1);
  return {
    hard_sigmoid: hardSigmoid,
    hard_silu: (x) => tf.mul(x, hardSigmoid(x)),
    leaky_relu: (x) => tf.mul(x, tf.sub(1, tf.mul(0.8, above(tf, tf.neg(x))))),
    exponential: (x) => tf.exp(x),
    celu: (x) => tf.add(tf.relu(x), below(x)),
    glu: (x) => {
      const half = (x.shape[x.rank - 1] ?? 2) / 2;
      const [a, b] = tf.split(tf.reshape(x, [-1, 2 * half]), 2, 1);
      if (a === undefined || b === undefined) throw new Error("glu halves its last axis");
      return tf.reshape(tf.mul(a, tf.sigmoid(b)), [...x.shape.slice(0, -1), half]);
    },
    hard_tanh: (x) => clip(x, -1, 1),
    hard_shrink: (x) => tf.mul(x, above(tf, tf.abs(x), 0.5)),
    soft_shrink: (x) => tf.sub(tf.relu(tf.sub(x, 0.5)), tf.relu(tf.sub(tf.neg(x), 0.5))),
    squareplus: (x) => tf.div(tf.add(x, tf.sqrt(tf.add(tf.square(x), 4))), 2),
    sparse_plus: (x) => {
      const middle = tf.div(tf.square(tf.add(clip(x, -1, 1), 1)), 4);
      return tf.add(middle, tf.relu(tf.sub(x, 1)));
    },
    sparsemax: sparsemax(tf),
    tanh_shrink: (x) => tf.sub(x, tf.tanh(x)),
    threshold: (x) => tf.relu(x),
    log_sigmoid: (x) => tf.neg(tf.softplus(tf.neg(x))),
    sparse_sigmoid: (x) => tf.div(tf.add(clip(x, -1, 1), 1), 2),
    gelu: (x) => tf.mul(x, tf.mul(0.5, tf.add(1, tf.erf(tf.div(x, Math.SQRT2))))),
    gelu_tanh: (x) => {
      const inner = tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x))));
      return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), inner))));
    },
    log_softmax: (x) => logSoftmax(tf, x),
    hard_sigmoid_keras2: (x) => clip(tf.add(tf.mul(0.2, x), 0.5), 0, 1),
  };
}

function camel(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Give every activation as a class that TF.js finds by name. */
export function activations(tf: Tf): serialization.SerializableConstructor<serialization.Serializable>[] {
  return Object.entries(formulas(tf)).map(([name, formula]) => {
    return class extends tf.serialization.Serializable {
      // TF.js reads `potluck_celu` as `potluckCelu`, and writes it back.
      static readonly className = camel(`potluck_${name}`);
      apply(x: Tensor): Tensor {
        return tf.tidy(() => formula(x));
      }
      getConfig(): serialization.ConfigDict {
        return {};
      }
    };
  });
}
