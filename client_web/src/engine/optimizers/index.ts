/** A unit's optimizer on the present backend: one pass over every weight a step. */

import { getBackend, type Tensor } from "@tensorflow/tfjs-core";
import type { Optimizer } from "../../protocol/messages";
import type { State } from "../checkpoint";
import { HOST_BACKENDS } from "../host_memory";
import type { Network } from "../network";
import type { HostTensor } from "../safetensors";
import { DeviceOptimizer } from "./device";
import { HostOptimizer } from "./host";
import { optimizerRule } from "./rules";

export interface OpenOptimizer {
  /** Change every trainable weight by its gradient (by `layer/weight`). `iteration` counts from 1. */
  step(gradients: ReadonlyMap<string, Tensor>, iteration: number, rate: number): void;
  /** Read the slots back: slot name -> weight name -> values. */
  slots(): Promise<ReadonlyMap<string, ReadonlyMap<string, HostTensor>>>;
  dispose(): void;
}

/** Open an optimizer where a checkpoint left it, for a network whose weights are set. */
export function openOptimizer(network: Network, optimizer: Optimizer, state: State): OpenOptimizer {
  const rule = optimizerRule(optimizer);
  const Kind = HOST_BACKENDS.has(getBackend()) ? HostOptimizer : DeviceOptimizer;
  return new Kind(network, rule, state.slots);
}
