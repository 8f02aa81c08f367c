/** A stack's weights on a GPU: those that train lie in a few tensors with their slots, unit after unit. */

import { dispose, keep, ones, type Tensor, tensor } from "@tensorflow/tfjs-core";
import type { HostTensor } from "../safetensors";
import { matrices, onWebgl, type Piece, run, runWithOwn, sideBySide, updateQuads } from "./device_programs";
import type { Weights } from "./device_layers";
import { slotStart, type Updating } from "./updating";
import type { StackTask, UnitState } from "./machine";
import { type Place, placeOf, slotOf, weightOf } from "./parameters";

/** WebGPU binds eight tensors to a program; textures are bounded. */
const MOST_PIECES = 6;
const MOST_NUMBERS = 1 << 20;
/** Uniforms are few: each number of an array takes the room of four. */
const MOST_CONSTANTS = 200;
const SLOTS_OF_A_QUAD = 3;

interface Group {
  readonly places: readonly Place[];
  /** Numbers of one unit. */
  readonly each: number;
  /** [1 + slots, units * each], or quads. */
  state: Tensor;
}

/** As the layers take it: [units, rows, columns], a bias as one row. */
function shapeOf({ shape, size }: Place, units: number): [number, number, number] {
  const columns = shape.at(-1) ?? 1;
  return [units, size / columns, columns];
}

export class DeviceState implements Weights {
  readonly units: number;
  private readonly task: StackTask;
  private readonly groups: readonly Group[];
  /** Weights that are not trained by gradients. */
  private readonly others = new Map<string, Tensor>();
  private readonly penalties: Tensor | null;
  private readonly penaltyNumbers: readonly number[];
  /** WebGL: a weight lies in one texel with its slots. */
  private readonly quads: boolean;
  private readonly counted = new Map<number, Tensor>();
  /** This step's weights and gradients. */
  private readonly now = new Map<string, Tensor>();
  private readonly learned = new Map<string, Tensor>();

  constructor(task: StackTask) {
    const { parameters, states, plan } = task;
    this.task = task;
    this.units = states.length;
    this.penaltyNumbers = plan.penalties.flatMap(({ l1, l2 }) => [...l1, ...l2]);
    const slots = task.updates[0]?.rule.slotNames.length ?? 0;
    const constants = task.updates.reduce((sum, one) => sum + one.constants(1).length, this.penaltyNumbers.length);
    this.quads = onWebgl() && slots <= SLOTS_OF_A_QUAD && constants <= MOST_CONSTANTS;
    this.groups = this.grouped(parameters.trainable.map((name) => placeOf(parameters, name)));
    for (const [name, place] of parameters.places) {
      if (this.trains(name)) continue;
      const values = Float32Array.from(states.flatMap((state) => Array.from(weightOf(state, name))));
      this.others.set(name, tensor(values, shapeOf(place, this.units)));
    }
    const numbers = this.penaltyNumbers;
    this.penalties = numbers.length === 0 || this.quads ? null : tensor(numbers, [2 * plan.penalties.length, this.units]);
  }

  read(name: string): Tensor {
    const known = this.now.get(name) ?? this.others.get(name);
    if (known !== undefined) return known;
    const group = this.groups.find(({ places }) => places.some((place) => place.name === name));
    if (group === undefined) throw new Error(`there is no weight ${name}`);
    const place = placeOf(this.task.parameters, name);
    const from = place.from - (group.places[0]?.from ?? 0);
    const found = matrices(group.state, this.quads, shapeOf(place, this.units), group.each, from);
    this.now.set(name, found);
    return found;
  }

  trains(name: string): boolean {
    return this.task.parameters.trainable.includes(name);
  }

  learn(name: string, gradient: Tensor): void {
    this.learned.set(name, gradient);
  }

  ones(count: number): Tensor {
    const known = this.counted.get(count) ?? keep(ones([1, 1, count]));
    this.counted.set(count, known);
    return known;
  }

  write(name: string, value: Tensor): void {
    this.others.get(name)?.dispose();
    this.others.set(name, keep(value));
  }

  /** Move every weight by what was learned; within a tidy. */
  update(iterations: readonly number[]): void {
    const perUnit = this.task.updates.map(({ constants }, unit) => constants(iterations[unit] ?? 1));
    let own: Tensor | null = null;
    for (const group of this.groups) {
      const first = group.places[0]?.from ?? 0;
      const pieces = group.places.map(({ name, from, size }): Piece => {
        const gradient = this.learned.get(name);
        if (gradient === undefined) throw new Error(`no gradient for ${name}`);
        return { gradient, from: from - first, size };
      });
      own ??= this.quads ? null : tensor(perUnit.flat(), [this.units, perUnit[0]?.length ?? 0]);
      const next = keep(own === null ? this.nextQuads(group, pieces, perUnit) : this.next(group, pieces, own));
      group.state.dispose();
      group.state = next;
    }
    this.now.clear();
    this.learned.clear();
  }

  async readBack(): Promise<readonly Pick<UnitState, "weights" | "slots">[]> {
    const { updates, parameters } = this.task;
    const found = updates.map(() => ({ weights: new Map<string, HostTensor>(), slots: new Map<string, Map<string, HostTensor>>() }));
    for (const { places, each, state } of this.groups) {
      const data = (await state.data()) as Float32Array;
      found.forEach(({ weights, slots }, unit) => {
        for (const { name, shape, size, from } of places) {
          const part = (row: number): HostTensor => {
            const start = from - (places[0]?.from ?? 0);
            return { shape, data: Float32Array.from({ length: size }, (_, i) => data[this.at(each, row, unit, start + i)] ?? Number.NaN) };
          };
          weights.set(name, part(0));
          (updates[unit] as Updating).rule.slotNames.forEach((slot, index) => {
            const own = slots.get(slot) ?? new Map<string, HostTensor>();
            slots.set(slot, own.set(name, part(1 + index)));
          });
        }
      });
    }
    for (const [name, value] of this.others) {
      const data = (await value.data()) as Float32Array;
      const { shape, size } = placeOf(parameters, name);
      found.forEach(({ weights }, unit) => weights.set(name, { shape, data: data.slice(unit * size, (unit + 1) * size) }));
    }
    return found;
  }

  dispose(): void {
    dispose([...this.others.values(), ...this.counted.values(), ...this.groups.map(({ state }) => state)]);
    this.penalties?.dispose();
  }

  private grouped(places: readonly Place[]): Group[] {
    const lists: Place[][] = [];
    let numbers = 0;
    for (const place of places) {
      const last = lists.at(-1);
      if (last === undefined || last.length >= MOST_PIECES || numbers + place.size * this.units > MOST_NUMBERS) {
        lists.push([]);
        numbers = 0;
      }
      lists.at(-1)?.push(place);
      numbers += place.size * this.units;
    }
    return lists.map((own) => {
      const each = own.reduce((sum, { size }) => sum + size, 0);
      return { places: own, each, state: this.opened(own, each) };
    });
  }

  private opened(places: readonly Place[], each: number): Tensor {
    const { states, updates } = this.task;
    const [{ rule } = { rule: null }] = updates;
    const names = rule?.slotNames ?? [];
    const shape: [number, number] = this.quads ? [2, 2 * this.units * each] : [1 + names.length, this.units * each];
    const values = new Float32Array(shape[0] * shape[1]);
    const put = (row: number, unit: number, { from, size }: Place, data: ArrayLike<number>): void => {
      const start = from - (places[0]?.from ?? 0);
      for (let i = 0; i < size; i++) values[this.at(each, row, unit, start + i)] = data[i] ?? 0;
    };
    states.forEach((state, unit) => {
      for (const place of places) {
        put(0, unit, place, weightOf(state, place.name));
        names.forEach((slot, index) => put(1 + index, unit, place, slotOf(state, slot, place, slotStart(updates[unit] as Updating, index))));
      }
    });
    return tensor(values, shape);
  }

  /** Where a unit's number lies in a state; row 0 are the weights, the others their slots. */
  private at(each: number, row: number, unit: number, i: number): number {
    const index = unit * each + i;
    return this.quads ? (row >> 1) * 2 * this.units * each + 2 * index + (row & 1) : row * this.units * each + index;
  }

  private next(group: Group, pieces: readonly Piece[], own: Tensor): Tensor {
    const gradient = this.penalised(group, sideBySide(pieces, this.units, group.each));
    return runWithOwn(group.state.shape, { S: group.state, G: gradient }, this.rule(group), own);
  }

  private nextQuads({ places, each, state }: Group, pieces: readonly Piece[], perUnit: readonly (readonly number[])[]): Tensor {
    const [{ rule } = { rule: null }] = this.task.updates;
    if (rule === null) throw new Error("there is no unit");
    const before = perUnit.flat().length;
    const number = (index: number): string => `c[${before + index * this.units} + unit]`;
    return updateQuads({
      state, each, pieces, perUnit,
      slots: rule.slotNames.length,
      rule: rule.shader,
      more: this.penaltyNumbers,
      penalty: this.penalty(places, "g", number),
    });
  }

  /** Statements that add the penalties' gradients; empty where there are none. */
  private penalty(places: readonly Place[], to: string, number: (index: number) => string): string {
    const { penalties } = this.task.plan;
    const first = places[0]?.from ?? 0;
    const lines = places.flatMap(({ name, from, size }) => {
      const index = penalties.findIndex(({ weight }) => weight === name);
      if (index < 0) return [];
      return `if (i >= ${from - first} && i < ${from - first + size}) {
        FLOAT side = 1.0; if (w < 0.0) { side = -1.0; }
        ${to} = ${to} + ${number(2 * index)} * side + 2.0 * ${number(2 * index + 1)} * w;
      }`;
    });
    return lines.join("\n");
  }

  private penalised({ places, each, state }: Group, gradient: Tensor): Tensor {
    const penalty = this.penalty(places, "value", (index) => `getL(${index}, unit)`);
    if (penalty === "" || this.penalties === null) return gradient;
    const body = `INT unit = at.y / ${each}; INT i = at.y - unit * ${each}; FLOAT w = getS(0, at.y);
      value = getG(0, at.y); ${penalty}`;
    return run(gradient.shape, { G: gradient, S: state, L: this.penalties }, body);
  }

  /** The optimizer's rule for a whole group: what stands in the row that is asked for. */
  private rule({ each }: Group): string {
    const [{ rule } = { rule: null }] = this.task.updates;
    if (rule === null) throw new Error("there is no unit");
    const slots = rule.slotNames.map((_, index) => `s${index}`);
    const read = slots.map((slot, index) => `FLOAT ${slot} = getS(${index + 1}, at.y);`).join(" ");
    const pick = slots.map((slot, index) => `if (at.x == ${index + 1}) { value = ${slot}; }`).join(" ");
    return `INT unit = at.y / ${each}; OWN FLOAT w = getS(0, at.y); FLOAT g = getG(0, at.y); ${read}
      ${rule.shader} value = w; ${pick}`;
  }
}
