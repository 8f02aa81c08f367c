/**
 * A whole step of Keras 3's optimizers as one pass over a weight: clipping, weight decay, the update, the
 * moving average, in Keras's order. Constraints come after it and are the layers'.
 */

import type { Optimizer } from "../../protocol/messages";
import { adadelta, adagrad, ftrl } from "./accumulating";
import { adam, adamax, lion, nadam } from "./adam";
import { rmsprop, sgd, sgdWithMomentum } from "./descent";
import { at, type Pass, slot, type Update } from "./update";

/** Gradients are scaled so that the norm of each, or of all together, is at most the limit. */
export interface Clipping {
  readonly of: "each" | "all";
  readonly limit: number;
}

/** The pass of a whole step; its constants are those of the update, and then its own. */
export interface OptimizerRule extends Update {
  /** What has to be known of whole gradients before the pass. */
  readonly clipping: Clipping | null;
}

const AVERAGE = "average";

/** Give what a gradient of this norm is multiplied by. */
export function scaleOf(clipping: Clipping, squares: number): number {
  return clipping.limit / Math.max(Math.sqrt(squares), clipping.limit);
}

function updateOf(optimizer: Optimizer): Update {
  switch (optimizer.name) {
    case "adam":
    case "adamw":
      return adam(betas(optimizer), optimizer.amsgrad ?? false);
    case "adamax":
      return adamax(betas(optimizer));
    case "nadam":
      return nadam(betas(optimizer));
    case "lion":
      return lion(optimizer.beta_1 ?? 0.9, optimizer.beta_2 ?? 0.99);
    case "rmsprop": {
      const { rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false } = optimizer;
      return rmsprop({ rho, momentum, epsilon, centered });
    }
    case "adagrad":
      return adagrad(optimizer.initial_accumulator_value ?? 0.1, optimizer.epsilon ?? 1e-7);
    case "adadelta":
      return adadelta(optimizer.rho ?? 0.95, optimizer.epsilon ?? 1e-7);
    case "ftrl":
      return ftrl({
        power: optimizer.learning_rate_power ?? -0.5,
        initial: optimizer.initial_accumulator_value ?? 0.1,
        l1: optimizer.l1_regularization_strength ?? 0,
        l2: optimizer.l2_regularization_strength ?? 0,
        shrinkage: optimizer.l2_shrinkage_regularization_strength ?? 0,
        beta: optimizer.beta ?? 0,
      });
    default: {
      const { momentum = 0, nesterov = false } = optimizer;
      return momentum === 0 ? sgd() : sgdWithMomentum(momentum, nesterov);
    }
  }
}

interface WireBetas {
  readonly beta_1?: number;
  readonly beta_2?: number;
  readonly epsilon?: number;
}

function betas({ beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7 }: WireBetas) {
  return { beta1: beta_1, beta2: beta_2, epsilon };
}

function clippingOf({ clipnorm = null, global_clipnorm = null }: Optimizer): Clipping | null {
  if (clipnorm !== null) return { of: "each", limit: clipnorm };
  return global_clipnorm === null ? null : { of: "all", limit: global_clipnorm };
}

/** Clip each number of the gradient to ±limit before the update. */
function clippedByValue(update: Update, limit: number): Update {
  const index = update.constants(1, 1).length;
  let clipped = new Float32Array(0);
  return {
    ...update,
    constants: (iteration, rate) => [...update.constants(iteration, rate), limit],
    onHost(pass, constants) {
      const [{ gradient }, most] = [pass, at(constants, index)];
      if (clipped.length < gradient.length) clipped = new Float32Array(gradient.length);
      for (let i = 0; i < gradient.length; i++) {
        clipped[i] = Math.min(Math.max(gradient[i] as number, -most), most);
      }
      update.onHost({ ...pass, gradient: clipped }, constants);
    },
    shader: `g = clamp(g, -c${index}, c${index}); ${update.shader}`,
  };
}

/** Take `decay` × rate of every weight away before the update, as Keras does: from biases too. */
function decayed(update: Update, decay: number): Update {
  const index = update.constants(1, 1).length;
  let less = new Float32Array(0);
  return {
    ...update,
    constants: (iteration, rate) => [...update.constants(iteration, rate), decay * rate],
    onHost(pass, constants) {
      const [{ weight }, share] = [pass, at(constants, index)];
      if (less.length < weight.length) less = new Float32Array(weight.length);
      for (let i = 0; i < weight.length; i++) less[i] = (weight[i] as number) - (weight[i] as number) * share;
      update.onHost({ ...pass, weight: less }, constants);
    },
    shader: `w = w - w * c${index}; ${update.shader}`,
  };
}

/** Keep a moving average of the weight after the update; now and then it takes the weight's place. */
function averaged(update: Update, momentum: number, every: number | null): Update {
  const index = update.constants(1, 1).length;
  const last = update.slotNames.length;
  const [m, o, s] = [`c${index}`, `c${index + 1}`, `s${last}`];
  const replaced = (iteration: number): boolean => every !== null && iteration % every === 0;
  return {
    slotNames: [...update.slotNames, AVERAGE],
    initial: [...update.initial, 0],
    constants: (iteration, rate) => [
      ...update.constants(iteration, rate),
      iteration === 1 ? 0 : momentum,
      replaced(iteration) ? 1 : 0,
    ],
    onHost(pass: Pass, constants) {
      update.onHost(pass, constants);
      const [share, replace, average] = [at(constants, index), at(constants, index + 1), slot(pass.slots, last)];
      const { next } = pass;
      for (let i = 0; i < next.length; i++) {
        average[i] = (average[i] as number) * share + (next[i] as number) * (1 - share);
        if (replace === 1) next[i] = average[i] as number;
      }
    },
    shader: `${update.shader} ${s} = ${s} * ${m} + w * (1.0 - ${m}); w = ${s} * ${o} + w * (1.0 - ${o});`,
  };
}

/** Give the rule for an optimizer as the wire describes it; defaults are Keras's. */
export function optimizerRule(optimizer: Optimizer): OptimizerRule {
  let update = updateOf(optimizer);
  const standard = optimizer.name === "adamw" ? 0.004 : null;
  const { clipvalue = null, weight_decay: decay = standard } = optimizer;
  if (clipvalue !== null) update = clippedByValue(update, clipvalue);
  if (decay !== null) update = decayed(update, decay);
  if (optimizer.use_ema === true) {
    update = averaged(update, optimizer.ema_momentum ?? 0.99, optimizer.ema_overwrite_frequency ?? null);
  }
  return { ...update, clipping: clippingOf(optimizer) };
}
