/**
 * Sums of squares of gradients on a GPU, so that clipping by norms reads nothing back: pieces of a weight
 * are summed side by side, then the pieces.
 */

import { concat, engine, getBackend, reshape, sum, type Tensor, tensor1d, type TensorInfo, tidy } from "@tensorflow/tfjs-core";
import { type Program, runProgram } from "../programs";
import type { Clipping } from "./rules";

const SMALLEST_PIECE = 64;

/** Rows [from, end) of a flat tensor. */
export interface Span {
  readonly from: number;
  readonly end: number;
}

interface Table {
  readonly from: Tensor;
  readonly end: Tensor;
  /** Numbers of the longest span: shaders' loops want a constant bound. */
  readonly most: number;
}

function tableOf(spans: readonly Span[]): Table {
  return {
    from: tensor1d(spans.map(({ from }) => from), "float32"),
    end: tensor1d(spans.map(({ end }) => end), "float32"),
    most: Math.max(...spans.map(({ from, end }) => end - from)),
  };
}

function programOf(size: number, most: number, squared: boolean): Program {
  const term = squared ? "x * x" : "x";
  return {
    key: `spans ${most} ${squared}`,
    inputs: ["X", "F", "E"],
    outputShape: [size],
    glsl: `int at = getOutputCoords(); int first = int(getF(at)); int size = int(getE(at)) - first; float total = 0.0;
      for (int i = 0; i < ${most}; i++) { if (i >= size) break; float x = getX(first + i); total += ${term}; }
      setOutput(total);`,
    wgsl: `let first = i32(getF(index)); let size = i32(getE(index)) - first; var total = 0.0;
      for (var i = 0; i < size; i++) { let x = getX(first + i); total += ${term}; }
      setOutputAtIndex(index, total);`,
  };
}

function sums(values: Tensor, table: Table, squared: boolean): Tensor {
  const program = programOf(table.from.size, table.most, squared);
  const inputs: TensorInfo[] = [values, table.from, table.end];
  return engine().makeTensorFromTensorInfo(runProgram(getBackend(), engine().backend, program, inputs));
}

/** Sums of squares of the spans of one flat gradient. */
export class SpanNorms {
  private readonly pieces: Table;
  private readonly wholes: Table;

  constructor(spans: readonly Span[]) {
    const longest = Math.max(...spans.map(({ from, end }) => end - from));
    const piece = Math.max(SMALLEST_PIECE, Math.ceil(Math.sqrt(longest)));
    const pieces: Span[] = [];
    const wholes = spans.map(({ from, end }): Span => {
      const first = pieces.length;
      for (let at = from; at < end; at += piece) pieces.push({ from: at, end: Math.min(at + piece, end) });
      return { from: first, end: pieces.length };
    });
    this.pieces = tableOf(pieces);
    this.wholes = tableOf(wholes);
  }

  /** Give [spans] sums of squares of a gradient [numbers]. */
  of(gradient: Tensor): Tensor {
    return tidy(() => sums(sums(gradient, this.pieces, true), this.wholes, false));
  }

  dispose(): void {
    for (const { from, end } of [this.pieces, this.wholes]) {
      from.dispose();
      end.dispose();
    }
  }
}

/** What an update's program reads of norms: their squares, and for each number which of them is its own. */
export interface Norms {
  readonly clipping: Clipping;
  readonly squares: Tensor;
  readonly owner: Tensor | null;
}

/** Add up what several groups gave, to [1]. */
export function together(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  return reshape(sum(concat([...parts])), [1]);
}
