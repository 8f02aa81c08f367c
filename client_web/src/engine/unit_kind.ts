/** What sort of unit a backend is chosen for: the kinds whose cost differs most between backends, by size. */

import type { Job } from "./messages";

/** By the names of layers' classes, the first that is found; recurrent layers may hold convolutions. */
const FAMILIES: readonly [name: string, classes: RegExp][] = [
  ["recurrent", /"class_name":\s*"\w*(RNN|LSTM|GRU)/],
  ["attention", /"class_name":\s*"\w*Attention"/],
  ["convolution", /"class_name":\s*"\w*(Conv|Pooling)/],
];

/** Units of one size class differ by less than this factor in what a step costs. */
const SIZE_STEP = 8;

/** Name a unit's kind, as "convolution 7": its family, and how often a step's cost can be divided by eight. */
export function unitKind({ unit, topology }: Pick<Job, "unit" | "topology">): string {
  const text = new TextDecoder().decode(topology);
  const [family] = FAMILIES.find(([, classes]) => classes.test(text)) ?? ["dense"];
  const steps = (unit.to_epoch - unit.from_epoch) * unit.steps_per_epoch;
  const perStep = Number(unit.flops) / Math.max(1, steps);
  return `${family} ${Math.max(0, Math.floor(Math.log(Math.max(1, perStep)) / Math.log(SIZE_STEP)))}`;
}
