/**
 * Activations whose slope is known from what they give, so that a stack keeps one number for each: as loops
 * over memory, and as statements that GLSL and WGSL both read (x -> y, and y -> d).
 */

export interface Activation {
  /** Names the code for GPUs: equal keys, equal code. */
  readonly key: string;
  readonly forward: (floats: Float32Array, from: number, to: number, count: number) => void;
  /** Multiply gradients by the slope, in place. */
  readonly backward: (floats: Float32Array, given: number, gradient: number, count: number) => void;
  readonly shader: string;
  readonly slopeShader: string;
}

type Formula = (value: number) => number;

function loops(key: string, value: Formula, slope: Formula, shader: string, slopeShader: string): Activation {
  return {
    key,
    shader,
    slopeShader,
    forward(floats, from, to, count) {
      for (let i = 0; i < count; i++) floats[to + i] = value(floats[from + i] as number);
    },
    backward(floats, given, gradient, count) {
      for (let i = 0; i < count; i++) {
        floats[gradient + i] = (floats[gradient + i] as number) * slope(floats[given + i] as number);
      }
    },
  };
}

/** Written out: most networks have it, and a call for each number costs more than the number. */
export const RELU: Activation = {
  key: "relu",
  // NaN is below nothing, and goes on.
  shader: "y = x; if (x < 0.0) { y = 0.0; }",
  slopeShader: "d = 1.0; if (y <= 0.0) { d = 0.0; }",
  forward(floats, from, to, count) {
    for (let i = 0; i < count; i++) floats[to + i] = Math.max(floats[from + i] as number, 0);
  },
  backward(floats, given, gradient, count) {
    for (let i = 0; i < count; i++) if ((floats[given + i] as number) <= 0) floats[gradient + i] = 0;
  },
};

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

function leaky(alpha: number): Activation {
  const [value, slope]: Formula[] = [(x) => (x < 0 ? alpha * x : x), (y) => (y > 0 ? 1 : alpha)];
  const a = literal(alpha);
  return loops(
    `leaky relu ${a}`,
    value as Formula,
    slope as Formula,
    `y = x; if (x < 0.0) { y = x * ${a}; }`,
    `d = ${a}; if (y > 0.0) { d = 1.0; }`,
  );
}

function exponentialBelow(scale: number, alpha: number): Activation {
  const [s, a] = [literal(scale), literal(alpha)];
  return loops(
    `elu ${s} ${a}`,
    (x) => (x < 0 ? scale * alpha * Math.expm1(x) : scale * x),
    (y) => (y > 0 ? scale : y + scale * alpha),
    `y = x * ${s}; if (x < 0.0) { y = ${s} * ${a} * (exp(x) - 1.0); }`,
    `d = ${s}; if (y <= 0.0) { d = y + ${s} * ${a}; }`,
  );
}

/** A number as shaders write it. */
export function literal(value: number): string {
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

const NAMED: Readonly<Record<string, Activation>> = {
  relu: RELU,
  relu6: loops(
    "relu6",
    (x) => (x < 0 ? 0 : x > 6 ? 6 : x),
    (y) => (y > 0 && y < 6 ? 1 : 0),
    "y = x; if (x < 0.0) { y = 0.0; } if (x > 6.0) { y = 6.0; }",
    "d = 1.0; if (y <= 0.0 || y >= 6.0) { d = 0.0; }",
  ),
  tanh: loops(
    "tanh",
    Math.tanh,
    (y) => 1 - y * y,
    // exp of a large number is too large for a float.
    "y = 1.0 - 2.0 / (exp(2.0 * clamp(x, -15.0, 15.0)) + 1.0);",
    "d = 1.0 - y * y;",
  ),
  sigmoid: loops(
    "sigmoid",
    (x) => 1 / (1 + Math.exp(-x)),
    (y) => y * (1 - y),
    "y = 1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0)));",
    "d = y * (1.0 - y);",
  ),
  elu: exponentialBelow(1, 1),
  selu: exponentialBelow(SELU_SCALE, SELU_ALPHA),
  softsign: loops(
    "softsign",
    (x) => x / (1 + Math.abs(x)),
    (y) => (1 - Math.abs(y)) ** 2,
    "y = x / (1.0 + abs(x));",
    "d = (1.0 - abs(y)) * (1.0 - abs(y));",
  ),
  exponential: loops("exponential", Math.exp, (y) => y, "y = exp(x);", "d = y;"),
};

const ALIASES: Readonly<Record<string, string>> = { potluck_exponential: "exponential" };

/** Give an activation by the name that topologies use, or null where a stack has none of that name. */
export function activationNamed(name: string): Activation | null {
  if (name === "potluck_leaky_relu") return leaky(0.2);
  return NAMED[ALIASES[name] ?? name] ?? null;
}

/** Give LeakyReLU and ELU with their own numbers. */
export const leakyRelu = leaky;
export const elu = (alpha: number): Activation => exponentialBelow(1, alpha);
