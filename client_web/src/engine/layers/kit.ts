/**
 * What every layer of ours is made with. TF.js comes in as a value: the same classes serve this engine
 * and, in `potluck-tfjs.js`, the TF.js of any page.
 */

import type { serialization, Tensor } from "@tensorflow/tfjs-core";
import type * as keras from "@tensorflow/tfjs-layers";
import type { layers, LayerVariable } from "@tensorflow/tfjs-layers";
import type { tf } from "../own_tf";
import { type Axes, makeAxes } from "./axes";
import type { Clock } from "./noise";

export type Tf = typeof tf;

export type Config = Readonly<Record<string, unknown>>;

export type Shape = (number | null)[];

export type LayerClass = serialization.SerializableConstructor<layers.Layer> & {
  readonly className: string;
};

/** How a layer is called. `masks` has one entry for each input. */
export interface Options {
  readonly training: boolean;
  readonly masks: readonly (Tensor | null)[];
  /** TF.js's own options: the same object for all steps of one sequence. */
  readonly source: object;
}

export interface Activation {
  getClassName(): string;
  apply(x: Tensor): Tensor;
}

/** Tensors that layers hand on carry their mask under this name, as TF.js's own layers attach it. */
interface Masked {
  kerasMask?: Tensor | null;
}

export function maskOf(tensor: Tensor): Tensor | null {
  return (tensor as Masked).kerasMask ?? null;
}

export function setMask(tensor: Tensor, mask: Tensor | null): void {
  (tensor as Masked).kerasMask = mask;
}

export function list<T>(value: T | T[]): T[] {
  return Array.isArray(value) ? value : [value];
}

/** Give the one input of a layer that takes one. */
export function only<T>(inputs: readonly T[]): T {
  const [first] = inputs;
  if (first === undefined || inputs.length > 1) throw new Error(`one input expected, not ${inputs.length}`);
  return first;
}

/** Give an option that is one number for each of `rank` axes; a single one counts for all. */
export function sizes(value: unknown, rank: number, fallback: number): number[] {
  const found = value ?? fallback;
  return Array.isArray(found) ? found.map(Number) : Array<number>(rank).fill(Number(found));
}

/** Count an axis from 0. */
export function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Give axes, one or several, counted from 0 and in order. */
export function axesOf(value: unknown, rank: number): number[] {
  return list(value as number | number[])
    .map((axis) => fromStart(Number(axis), rank))
    .sort((a, b) => a - b);
}

type Parsed = Pick<keras.layers.Layer, never> & {
  activation: Activation;
  kernelInitializer: never;
  kernelRegularizer: never;
  kernelConstraint: never;
};

/** Read an activation, initializer, regularizer and constraint as TF.js's own layers do. */
function parse(tf: Tf, parts: Config): Parsed {
  return tf.layers.dense({ ...parts, units: 1, name: "unused" } as never) as unknown as Parsed;
}

/** Compute what gradients do not go through. */
export function fixed(tf: Tf, f: () => Tensor): Tensor {
  // Without inputs, nothing leads back from it.
  return tf.customGrad(() => ({ value: f(), gradFunc: () => [] }))();
}

function makeOwn(tf: Tf) {
  abstract class Own extends tf.layers.Layer {
    readonly given: Config;
    /** Whether a mask goes on to the next layer. */
    protected readonly handsMaskOn: boolean = false;

    constructor(args: object) {
      super(args);
      this.given = { ...args };
      // TF.js adds its table of classes to every configuration that it reads.
      delete (this.given as Record<string, unknown>)["customObjects"];
      this.supportsMasking = true;
    }

    /** Compute the output. */
    abstract run(inputs: Tensor[], options: Options): Tensor;

    override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor | Tensor[] {
      const given = list(inputs);
      const options = { training: kwargs?.["training"] === true, masks: given.map(maskOf), source: kwargs };
      return tf.tidy(() => this.run(given, options));
    }

    override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor | Tensor[] {
      const first = Array.isArray(mask) ? mask[0] : mask;
      // TF.js's type leaves out null, which its own layers return for "no mask".
      return (this.handsMaskOn ? (first ?? null) : null) as Tensor;
    }

    override getConfig(): serialization.ConfigDict {
      return { ...(this.given as serialization.ConfigDict), ...super.getConfig() };
    }

    protected option<T>(name: string, fallback: T): T {
      return (this.given[name] as T | null | undefined) ?? fallback;
    }

    /** Make a weight; `role` names its initializer, regularizer and constraint in the configuration. */
    protected weight(name: string, shape: readonly number[], role: string, fallback = "glorotUniform"): LayerVariable {
      const { kernelInitializer, kernelRegularizer, kernelConstraint } = parse(tf, {
        kernelInitializer: this.given[`${role}Initializer`] ?? fallback,
        kernelRegularizer: this.given[`${role}Regularizer`],
        kernelConstraint: this.given[`${role}Constraint`],
      });
      const size = [...shape];
      return this.addWeight(name, size, "float32", kernelInitializer, kernelRegularizer, true, kernelConstraint);
    }

    /** Make a weight that no gradient changes. */
    protected state(name: string, shape: readonly number[], role: string, fallback: string): LayerVariable {
      const { kernelInitializer } = parse(tf, {
        kernelInitializer: this.given[`${role}Initializer`] ?? fallback,
      });
      return this.addWeight(name, [...shape], "float32", kernelInitializer, undefined, false);
    }

    protected activationOf(name: string, fallback = "linear"): Activation {
      return parse(tf, { activation: this.given[name] ?? fallback }).activation;
    }
  }
  return Own;
}

export interface Kit {
  readonly tf: Tf;
  readonly axes: Axes;
  readonly clock: Clock;
  readonly Own: ReturnType<typeof makeOwn>;
  /** 1 where the mask holds, else 0, as numbers. */
  readonly asNumbers: (mask: Tensor) => Tensor;
}

/** Gather what layers are made with, on a given TF.js. */
export function makeKit(tf: Tf, clock: Clock): Kit {
  return {
    tf,
    clock,
    axes: makeAxes(tf),
    Own: makeOwn(tf),
    asNumbers: (mask) => fixed(tf, () => tf.cast(mask, "float32")),
  };
}
