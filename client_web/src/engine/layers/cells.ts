/**
 * SimpleRNN, LSTM and GRU, as cells and as layers over time. TF.js has no GRU with `reset_after`, and draws
 * the masks of dropout inside recurrent layers unrepeatably.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import type { CellName } from "../fused/cells_host";
import { DENSE } from "../fused/names";
import { hasRecurrence, recurrence } from "../fused/recurrence";
import { type Kit, type LayerClass, list, maskOf, type Shape } from "./kit";
import { keptFactors } from "./noise";
import { makeWalk, type Way } from "./sequence";

/** What a step is multiplied with while training: one mask for all gates, or one for each. */
interface Masks {
  readonly input: readonly Tensor[];
  readonly recurrent: readonly Tensor[];
}

const NO_MASKS: Masks = { input: [], recurrent: [] };

export function recurrentLayers(kit: Kit): LayerClass[] {
  const { tf, Own, clock } = kit;
  const walk = makeWalk(kit);
  /** The step of a sequence: TF.js hands the same options to all calls of a cell in it. */
  const steps = new WeakMap<object, number>();

  abstract class Cell extends Own {
    protected abstract readonly gates: number;
    /** What walks whole sequences where a backend can; null where options stand against it. */
    protected abstract readonly fused: CellName | null;
    /** Whether this is the layer over time, not the cell. */
    protected readonly overTime: boolean = false;
    protected kernel: LayerVariable | null = null;
    protected recurrentKernel: LayerVariable | null = null;
    protected bias: LayerVariable | null = null;
    protected readonly activation = this.activationOf("activation", "tanh");
    protected readonly recurrentActivation = this.activationOf("recurrentActivation", "sigmoid");
    readonly units = this.option("units", 1);
    readonly returnSequences = this.option("returnSequences", false);
    readonly returnState = false;
    protected override readonly handsMaskOn = this.returnSequences;

    get stateSize(): number | number[] {
      return this.units;
    }

    protected biasShape(): number[] {
      return [this.gates * this.units];
    }

    override build(inputShape: Shape | Shape[]): void {
      // A stack of cells hands over the shapes of the states too.
      const flat = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
      const width = this.gates * this.units;
      this.kernel = this.weight("kernel", [Number(flat[flat.length - 1]), width], "kernel");
      this.recurrentKernel = this.weight("recurrent_kernel", [this.units, width], "recurrent", "orthogonal");
      if (this.option("useBias", true)) this.bias = this.weight("bias", this.biasShape(), "bias", "zeros");
      this.built = true;
    }

    /** Multiply [rows, features] by a kernel, each gate's columns with a mask of its own if there are several. */
    protected product(x: Tensor, kernel: Tensor, masks: readonly Tensor[]): Tensor {
      const [mask] = masks;
      if (mask === undefined) return tf.matMul(x, kernel);
      if (masks.length === 1) return tf.matMul(tf.mul(x, mask), kernel);
      const columns = tf.split(kernel, this.gates, 1);
      return tf.concat(columns.map((part, i) => tf.matMul(tf.mul(x, masks[i] ?? mask), part)), 1);
    }

    protected read(variable: LayerVariable | null): Tensor {
      if (variable === null) throw new Error("the layer was not built");
      return variable.read();
    }

    /** Compute what the input gives to all gates: [rows, gates * units]. */
    protected project(x: Tensor, masks: Masks): Tensor {
      return this.withBias(x, this.bias?.read() ?? null, masks);
    }

    /** Project with a bias of [gates * units]: as one kernel where the backend has it. */
    protected withBias(x: Tensor, bias: Tensor | null, masks: Masks): Tensor {
      const kernel = this.read(this.kernel);
      if (bias === null) return this.product(x, kernel, masks.input);
      if (masks.input.length > 0 || !hasRecurrence(tf)) return tf.add(this.product(x, kernel, masks.input), bias);
      return tf.engine().runKernel(DENSE, { x, kernel, bias }, { activation: "linear" }) as Tensor;
    }

    /** A bias of what the last output gives to the gates. */
    protected innerBias(): Tensor | null {
      return null;
    }

    /** Say whether Keras's own activations are at work, for which there are kernels. */
    private get plain(): boolean {
      const [own, ofGates] = [this.activation.getClassName(), this.recurrentActivation.getClassName()];
      return own === "tanh" && (this.gates === 1 || ofGates === "sigmoid");
    }

    /** One step from what `project` gave: [output, ...states]. */
    protected abstract step(projected: Tensor, states: readonly Tensor[], masks: Masks): Tensor[];

    private masks(batch: number, features: number, training: boolean, source: object): Masks {
      const rates = [this.option("dropout", 0), this.option("recurrentDropout", 0)] as const;
      if (!training || (rates[0] === 0 && rates[1] === 0)) return NO_MASKS;
      const name = (this.kernel?.originalName ?? this.name).replace(/\/kernel$/, "");
      const step = steps.get(source) ?? clock.step(name);
      steps.set(source, step);
      // With masks on its states, Keras computes the gates apart, each with masks of its own.
      const count = rates[1] > 0 ? this.gates : 1;
      const draw = (what: string, rate: number, width: number): Tensor[] => {
        if (rate === 0) return [];
        const factors = keptFactors(clock, `${name}/${what}`, step, rate, count * batch * width);
        return tf.unstack(tf.tensor(factors, [count, batch, width]));
      };
      return { input: draw("input", rates[0], features), recurrent: draw("recurrent", rates[1], this.units) };
    }

    override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor | Tensor[] {
      const training = kwargs["training"] === true;
      const [x, ...states] = list(inputs);
      if (x === undefined) throw new Error("no input");
      return tf.tidy(() => {
        const masks = this.masks(x.shape[0] ?? 1, x.shape[x.rank - 1] ?? 1, training, kwargs);
        if (!this.overTime) return this.step(this.project(x, masks), states, masks);
        return this.sequence(x, masks);
      });
    }

    private sequence(x: Tensor, masks: Masks): Tensor {
      const [batch = 1, length = 1, features = 1] = x.shape;
      if (this.fused !== null && this.plain && masks.recurrent.length === 0 && maskOf(x) === null && hasRecurrence(tf)) {
        return this.walkFused(this.fused, x, masks);
      }
      // All steps at once, time by time: rows are [time, batch].
      const rows = tf.reshape(tf.transpose(x, [1, 0, 2]), [length * batch, features]);
      const wide = masks.input.map((mask) => tf.tile(mask, [length, 1]));
      const projected = this.project(rows, { ...masks, input: wide });
      const each = tf.unstack(tf.reshape(projected, [length, batch, -1]));
      const start = list(this.stateSize).map((size) => tf.zeros([batch, size]));
      const step = (now: Tensor, states: readonly Tensor[]): Tensor[] => this.step(now, states, masks);
      return walk(each, start, step, maskOf(x), this.way());
    }

    private walkFused(cell: CellName, given: Tensor, masks: Masks): Tensor {
      const [batch = 1, length = 1, features = 1] = given.shape;
      const x = this.option("goBackwards", false) ? tf.reverse(given, 1) : given;
      const rows = tf.reshape(tf.transpose(x, [1, 0, 2]), [length * batch, features]);
      const wide = masks.input.map((mask) => tf.tile(mask, [length, 1]));
      const sequences = this.returnSequences;
      const recurrent = this.read(this.recurrentKernel);
      const projected = this.project(rows, { ...masks, input: wide });
      const out = recurrence(tf, { cell, given: projected, length, recurrent, bias: this.innerBias(), sequences });
      return sequences ? tf.transpose(out, [1, 0, 2]) : out;
    }

    private way(): Way {
      return {
        goBackwards: this.option("goBackwards", false),
        returnSequences: this.returnSequences,
        zeroOutputForMask: this.option("zeroOutputForMask", false),
      };
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const [batch = null, length = null] = inputShape as Shape;
      return this.overTime && this.returnSequences ? [batch, length, this.units] : [batch, this.units];
    }

    override run(): Tensor {
      throw new Error("a cell is called with its states");
    }
  }

  class PotluckSimpleRNNCell extends Cell {
    static readonly className: string = "PotluckSimpleRNNCell";
    protected override readonly gates = 1;
    protected override readonly fused = "simple";

    protected override step(projected: Tensor, [h]: readonly Tensor[], masks: Masks): Tensor[] {
      if (h === undefined) throw new Error("no state");
      const inner = this.product(h, this.read(this.recurrentKernel), masks.recurrent);
      const out = this.activation.apply(tf.add(projected, inner));
      return [out, out];
    }
  }

  class PotluckLSTMCell extends Cell {
    static readonly className: string = "PotluckLSTMCell";
    protected override readonly gates = 4;
    protected override readonly fused = "lstm";

    override get stateSize(): number[] {
      return [this.units, this.units];
    }

    protected override step(projected: Tensor, [h, c]: readonly Tensor[], masks: Masks): Tensor[] {
      if (h === undefined || c === undefined) throw new Error("no states");
      const inner = this.product(h, this.read(this.recurrentKernel), masks.recurrent);
      const [i, f, candidate, o] = tf.split(tf.add(projected, inner), 4, 1) as [Tensor, Tensor, Tensor, Tensor];
      const gate = (z: Tensor): Tensor => this.recurrentActivation.apply(z);
      const kept = tf.mul(gate(f), c);
      const carry = tf.add(kept, tf.mul(gate(i), this.activation.apply(candidate)));
      const out = tf.mul(gate(o), this.activation.apply(carry));
      return [out, out, carry];
    }
  }

  class PotluckGRUCell extends Cell {
    static readonly className: string = "PotluckGRUCell";
    protected override readonly gates = 3;
    private readonly resetAfter = this.option("resetAfter", true);
    protected override readonly fused = this.resetAfter ? "gru" : null;

    protected override biasShape(): number[] {
      return this.resetAfter ? [2, 3 * this.units] : [3 * this.units];
    }

    protected override project(x: Tensor, masks: Masks): Tensor {
      return this.withBias(x, this.resetAfter ? this.biasRow(0) : (this.bias?.read() ?? null), masks);
    }

    protected override innerBias(): Tensor | null {
      return this.resetAfter ? this.biasRow(1) : null;
    }

    private biasRow(row: number): Tensor | null {
      if (this.bias === null) return null;
      // Cut out last: WASM's products know a bias by the shape that it was made with.
      return tf.slice(tf.reshape(this.bias.read(), [-1]), [row * 3 * this.units], [3 * this.units]);
    }

    protected override step(projected: Tensor, [h]: readonly Tensor[], masks: Masks): Tensor[] {
      if (h === undefined) throw new Error("no state");
      const { units } = this;
      const [xz, xr, xh] = tf.split(projected, 3, 1) as [Tensor, Tensor, Tensor];
      const kernel = this.read(this.recurrentKernel);
      const gate = (z: Tensor): Tensor => this.recurrentActivation.apply(z);
      let z: Tensor;
      let candidate: Tensor;
      if (this.resetAfter) {
        let inner = this.product(h, kernel, masks.recurrent);
        const bias = this.innerBias();
        if (bias !== null) inner = tf.add(inner, bias);
        const [hz, hr, hh] = tf.split(inner, 3, 1) as [Tensor, Tensor, Tensor];
        z = gate(tf.add(xz, hz));
        candidate = tf.add(xh, tf.mul(gate(tf.add(xr, hr)), hh));
      } else {
        const part = (state: Tensor, i: number): Tensor => {
          const mask = masks.recurrent[i];
          const columns = tf.slice(kernel, [0, i * units], [-1, units]);
          return tf.matMul(mask === undefined ? state : tf.mul(state, mask), columns);
        };
        z = gate(tf.add(xz, part(h, 0)));
        const r = gate(tf.add(xr, part(h, 1)));
        candidate = tf.add(xh, part(tf.mul(r, h), 2));
      }
      const out = tf.add(tf.mul(z, h), tf.mul(tf.sub(1, z), this.activation.apply(candidate)));
      return [out, out];
    }
  }

  class PotluckSimpleRNN extends PotluckSimpleRNNCell {
    static override readonly className = "PotluckSimpleRNN";
    protected override readonly overTime = true;
  }

  class PotluckLSTM extends PotluckLSTMCell {
    static override readonly className = "PotluckLSTM";
    protected override readonly overTime = true;
  }

  class PotluckGRU extends PotluckGRUCell {
    static override readonly className = "PotluckGRU";
    protected override readonly overTime = true;
  }

  return [
    PotluckSimpleRNNCell,
    PotluckLSTMCell,
    PotluckGRUCell,
    PotluckSimpleRNN,
    PotluckLSTM,
    PotluckGRU,
  ] as LayerClass[];
}
