/**
 * One step of a recurrent layer, in memory that JavaScript reaches: all gates in one pass, and back. What the
 * way back needs is kept: `kept` numbers a unit and step. Arrays are [rows, gates * units] and the like.
 */

import { sigmoid, tanh } from "./curves";

export type CellName = "simple" | "lstm" | "gru";

export interface Forward {
  readonly rows: number;
  readonly units: number;
  /** What the step's input gives to the gates, its bias included. */
  readonly given: Float32Array;
  /** What the last output gives to them. */
  readonly inner: Float32Array;
  /** A bias of `inner`, [gates * units]. */
  readonly bias: Float32Array;
  readonly before: Float32Array;
  /** Changed: the state that is not the output. */
  readonly carry: Float32Array;
  /** Written: output and what is kept. */
  readonly h: Float32Array;
  readonly kept: Float32Array;
}

export interface Backward {
  readonly rows: number;
  readonly units: number;
  readonly before: Float32Array;
  readonly kept: Float32Array;
  /** Changed: the gradient by the step's output, and then the part by the last one that is not through `inner`. */
  readonly dh: Float32Array;
  readonly dcarry: Float32Array;
  /** Written: gradients by `given` and by `inner`. */
  readonly dgiven: Float32Array;
  readonly dinner: Float32Array;
}

export interface HostCell {
  readonly gates: number;
  readonly kept: number;
  forward(step: Forward): void;
  backward(step: Backward): void;
}

const simple: HostCell = {
  gates: 1,
  kept: 1,
  forward({ given, inner, h, kept }) {
    for (let i = 0; i < h.length; i++) {
      const out = tanh((given[i] as number) + (inner[i] as number));
      h[i] = out;
      kept[i] = out;
    }
  },
  backward({ kept, dh, dgiven, dinner }) {
    for (let i = 0; i < dh.length; i++) {
      const out = kept[i] as number;
      const slope = (dh[i] as number) * (1 - out * out);
      dgiven[i] = slope;
      dinner[i] = slope;
      dh[i] = 0;
    }
  },
};

const lstm: HostCell = {
  gates: 4,
  kept: 6,
  forward({ rows, units, given, inner, carry, h, kept }) {
    for (let row = 0; row < rows; row++) {
      for (let u = 0; u < units; u++) {
        const [at, gate, keep] = [row * units + u, 4 * row * units + u, 6 * row * units + u];
        const i = sigmoid((given[gate] as number) + (inner[gate] as number));
        const f = sigmoid((given[gate + units] as number) + (inner[gate + units] as number));
        const g = tanh((given[gate + 2 * units] as number) + (inner[gate + 2 * units] as number));
        const o = sigmoid((given[gate + 3 * units] as number) + (inner[gate + 3 * units] as number));
        const old = carry[at] as number;
        const now = f * old + i * g;
        const top = tanh(now);
        carry[at] = now;
        h[at] = o * top;
        kept[keep] = i;
        kept[keep + units] = f;
        kept[keep + 2 * units] = g;
        kept[keep + 3 * units] = o;
        kept[keep + 4 * units] = old;
        kept[keep + 5 * units] = top;
      }
    }
  },
  backward({ rows, units, kept, dh, dcarry, dgiven, dinner }) {
    for (let row = 0; row < rows; row++) {
      for (let u = 0; u < units; u++) {
        const [at, gate, keep] = [row * units + u, 4 * row * units + u, 6 * row * units + u];
        const i = kept[keep] as number;
        const f = kept[keep + units] as number;
        const g = kept[keep + 2 * units] as number;
        const o = kept[keep + 3 * units] as number;
        const top = kept[keep + 5 * units] as number;
        const dy = dh[at] as number;
        const dc = (dcarry[at] as number) + dy * o * (1 - top * top);
        dgiven[gate] = dc * g * i * (1 - i);
        dgiven[gate + units] = dc * (kept[keep + 4 * units] as number) * f * (1 - f);
        dgiven[gate + 2 * units] = dc * i * (1 - g * g);
        dgiven[gate + 3 * units] = dy * top * o * (1 - o);
        dcarry[at] = dc * f;
        dh[at] = 0;
      }
    }
    dinner.set(dgiven);
  },
};

/** With `reset_after`: the reset gate works on what the last output gives, not on that output. */
const gru: HostCell = {
  gates: 3,
  kept: 4,
  forward({ rows, units, given, inner, bias, before, h, kept }) {
    for (let row = 0; row < rows; row++) {
      for (let u = 0; u < units; u++) {
        const [at, gate, keep] = [row * units + u, 3 * row * units + u, 4 * row * units + u];
        const z = sigmoid((given[gate] as number) + (inner[gate] as number) + (bias[u] as number));
        const second = (inner[gate + units] as number) + (bias[u + units] as number);
        const r = sigmoid((given[gate + units] as number) + second);
        const held = (inner[gate + 2 * units] as number) + (bias[u + 2 * units] as number);
        const fresh = tanh((given[gate + 2 * units] as number) + r * held);
        h[at] = z * (before[at] as number) + (1 - z) * fresh;
        kept[keep] = z;
        kept[keep + units] = r;
        kept[keep + 2 * units] = held;
        kept[keep + 3 * units] = fresh;
      }
    }
  },
  backward({ rows, units, before, kept, dh, dgiven, dinner }) {
    for (let row = 0; row < rows; row++) {
      for (let u = 0; u < units; u++) {
        const [at, gate, keep] = [row * units + u, 3 * row * units + u, 4 * row * units + u];
        const z = kept[keep] as number;
        const r = kept[keep + units] as number;
        const held = kept[keep + 2 * units] as number;
        const fresh = kept[keep + 3 * units] as number;
        const dy = dh[at] as number;
        const dz = dy * ((before[at] as number) - fresh) * z * (1 - z);
        const dfresh = dy * (1 - z) * (1 - fresh * fresh);
        const dr = dfresh * held * r * (1 - r);
        dgiven[gate] = dz;
        dgiven[gate + units] = dr;
        dgiven[gate + 2 * units] = dfresh;
        dinner[gate] = dz;
        dinner[gate + units] = dr;
        dinner[gate + 2 * units] = dfresh * r;
        dh[at] = dy * z;
      }
    }
  },
};

export const HOST_CELLS: Readonly<Record<CellName, HostCell>> = { simple, lstm, gru };
