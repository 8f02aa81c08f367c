/** Dropout whose mask is a function of (seed, layer, step), instead of TF.js's unrepeatable one. */

import { mul, serialization, tensor, type Tensor } from "@tensorflow/tfjs-core";
import { layers } from "@tensorflow/tfjs-layers";
import { dropoutFactors } from "../randomness";

/** Where training stands. Set before each step: TF.js hands its layers nothing but tensors. */
export const place = { seed: 0, step: 0 };

interface DropoutArgs {
  readonly name?: string;
  readonly rate: number;
}

function only(inputs: Tensor | Tensor[]): Tensor {
  const [first, ...others] = Array.isArray(inputs) ? inputs : [inputs];
  if (first === undefined || others.length > 0) throw new Error("Dropout takes one tensor");
  return first;
}

class CountedDropout extends layers.Layer {
  static readonly className = "Dropout";
  private readonly rate: number;

  constructor(args: DropoutArgs) {
    super(args);
    this.rate = args.rate;
    this.supportsMasking = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: { training?: boolean }): Tensor {
    const input = only(inputs);
    if (kwargs.training !== true || this.rate === 0) return input;
    const factors = dropoutFactors(place.seed, this.name, place.step, this.rate, input.size);
    return mul(input, tensor(factors, input.shape));
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), rate: this.rate };
  }
}

/** Let every `Dropout` that is opened from JSON be ours. */
export function registerDropout(): void {
  serialization.registerClass(CountedDropout);
}
