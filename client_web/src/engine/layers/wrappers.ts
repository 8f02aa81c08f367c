/** Layers around layers: RNN, Bidirectional and TimeDistributed where TF.js's own fall short. */

import type { serialization, Tensor } from "@tensorflow/tfjs-core";
import type { layers } from "@tensorflow/tfjs-layers";
import { type Kit, type LayerClass, list, maskOf, only, type Tf } from "./kit";
import { makeWalk } from "./sequence";

type Json = Record<string, unknown>;

type Inner = layers.Layer & { returnSequences: boolean; stateSize: number | number[]; trainable: boolean };

type Constructor<T> = (new (args: object) => T) & { fromConfig(cls: unknown, config: Json): unknown };

/** Open a layer from its JSON, by TF.js's own table of classes. */
function open(tf: Tf, json: Json): Inner {
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const found = classNameMap[String(json["className"])];
  if (found === undefined) throw new Error(`no class ${String(json["className"])}`);
  const [cls, fromConfig] = found;
  return fromConfig(cls, { ...(json["config"] as serialization.ConfigDict) }) as unknown as Inner;
}

/** TF.js keeps these classes to itself; an instance knows its own. */
function classOf<T>(instance: layers.Layer): Constructor<T> {
  return instance.constructor as unknown as Constructor<T>;
}

interface StockRNN extends layers.Layer {
  cell: Inner;
  returnSequences: boolean;
  goBackwards: boolean;
}

interface StockBidirectional extends layers.Layer {
  forwardLayer: Inner;
  backwardLayer: Inner;
  returnSequences: boolean;
}

interface StockTimeDistributed extends layers.Layer {
  layer: layers.Layer & { layers?: layers.Layer[] };
}

/** Say whether a layer is, or a model holds, one that computes with the statistics of its batch. */
function normalizesBatches(layer: layers.Layer & { layers?: layers.Layer[] }): boolean {
  return layer.getClassName().endsWith("BatchNormalization") || (layer.layers ?? []).some(normalizesBatches);
}

export function wrappers(kit: Kit): LayerClass[] {
  const { tf, asNumbers } = kit;
  const walk = makeWalk(kit);
  const inner = (): layers.RNN => tf.layers.simpleRNN({ units: 1, name: "unused" }) as layers.RNN;
  const RNN = tf.layers.RNN as unknown as Constructor<StockRNN>;
  const Bidirectional = classOf<StockBidirectional>(
    tf.layers.bidirectional({ layer: inner(), mergeMode: "concat", name: "unused" }) as layers.Layer,
  );
  const TimeDistributed = classOf<StockTimeDistributed>(
    tf.layers.timeDistributed({ layer: inner(), name: "unused" }) as layers.Layer,
  );

  class PotluckRNN extends RNN {
    static readonly className = "PotluckRNN";
    private readonly zeroOutputForMask: boolean;

    constructor(args: object) {
      super(args);
      this.zeroOutputForMask = (args as Json)["zeroOutputForMask"] === true;
    }

    override call(inputs: Tensor | Tensor[], kwargs: Json): Tensor {
      const x = only(list(inputs));
      // One object for all steps: what a cell draws is drawn once for a sequence.
      const options = { training: kwargs["training"] === true };
      return tf.tidy(() => {
        const sizes = list(this.cell.stateSize);
        const start = sizes.map((size) => tf.zeros([x.shape[0] ?? 1, size]));
        const step = (now: Tensor, states: readonly Tensor[]): Tensor[] =>
          this.cell.call([now, ...states], options) as Tensor[];
        return walk(tf.unstack(x, 1), start, step, maskOf(x), {
          goBackwards: this.goBackwards,
          returnSequences: this.returnSequences,
          zeroOutputForMask: this.zeroOutputForMask,
        });
      });
    }

    override getConfig(): serialization.ConfigDict {
      return { ...super.getConfig(), zeroOutputForMask: this.zeroOutputForMask };
    }
  }

  class PotluckBidirectional extends Bidirectional {
    static readonly className = "PotluckBidirectional";
    private readonly backwardGiven: Json | null;

    constructor(args: object) {
      super(args);
      const given = args as { backwardLayer?: Json | null; trainable?: boolean; layer: Inner };
      this.backwardGiven = given.backwardLayer ?? null;
      if (this.backwardGiven !== null) {
        this.backwardLayer = open(tf, this.backwardGiven);
        this.backwardLayer.name = `backward_${this.backwardLayer.name}`;
      }
      // TF.js copies the layers, and forgets that one was frozen.
      const both = given.trainable !== false;
      this.trainable = both;
      this.forwardLayer.trainable = both && given.layer.trainable;
      const back = (this.backwardGiven?.["config"] as Json | undefined)?.["trainable"] ?? given.layer.trainable;
      this.backwardLayer.trainable = both && back !== false;
    }

    override call(inputs: Tensor | Tensor[], kwargs: Json): Tensor {
      const mask = maskOf(only(list(inputs)));
      return tf.tidy(() => {
        const out = only(list(super.call(inputs, kwargs)));
        // Keras has both layers give zeros at masked steps, whatever they would do alone.
        return mask !== null && this.returnSequences ? tf.mul(out, tf.expandDims(asNumbers(mask), -1)) : out;
      });
    }

    override computeOutputShape(inputShape: (number | null)[]): (number | null)[] {
      const forward = this.forwardLayer.computeOutputShape(inputShape) as (number | null)[];
      const backward = this.backwardLayer.computeOutputShape(inputShape) as (number | null)[];
      if ((this.getConfig()["mergeMode"] ?? "concat") !== "concat") return forward;
      const width = (shape: (number | null)[]): number => shape[shape.length - 1] ?? 0;
      return [...forward.slice(0, -1), width(forward) + width(backward)];
    }

    override getConfig(): serialization.ConfigDict {
      const backwardLayer = this.backwardGiven as serialization.ConfigDict | null;
      return { ...super.getConfig(), backwardLayer };
    }
  }

  class PotluckTimeDistributed extends TimeDistributed {
    static readonly className = "PotluckTimeDistributed";

    override build(inputShape: (number | null)[]): void {
      super.build(inputShape);
      if (this.layer.layers === undefined) return;
      // TF.js names the weights of a model inside as if it stood alone; another layer may have the name.
      for (const weight of this.layer.weights) {
        (weight as { originalName: string }).originalName = `${this.name}/${weight.originalName}`;
      }
    }

    override call(inputs: Tensor | Tensor[], kwargs: Json): Tensor {
      const x = only(list(inputs));
      const [batch = 1, length = 1, ...rest] = x.shape;
      return tf.tidy(() => {
        if (kwargs["training"] === true && normalizesBatches(this.layer)) {
          // Keras takes one step after another: each is normalized by itself, and moves the averages.
          const each = tf.unstack(x, 1).map((now) => only(list(this.layer.call(now, kwargs))));
          return tf.stack(each, 1);
        }
        // All steps in one batch: what the layer draws differs from step to step, as in Keras.
        const flat = tf.reshape(x, [batch * length, ...rest]);
        const out = only(list(this.layer.call(flat, kwargs)));
        return tf.reshape(out, [batch, length, ...out.shape.slice(1)]);
      });
    }
  }

  return [PotluckRNN, PotluckBidirectional, PotluckTimeDistributed] as unknown as LayerClass[];
}
