/** Load TF.js backends one by one, each mended, and hear of it when a GPU is taken away. */

import { engine, env, findBackend, removeBackend, setBackend } from "@tensorflow/tfjs-core";
import wasmUrl from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import wasmSimdUrl from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import wasmThreadsUrl from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import { registerClassLoss } from "./fused/class_loss";
import { fuseConvolutions } from "./fused/convolution";
import { fuseDense } from "./fused/dense";
import { registerRecurrenceOnGpu } from "./fused/recurrence_gpu";
import { registerRecurrenceOnHost } from "./fused/recurrence_host";
import { HOST_BACKENDS } from "./host_memory";
import { mend } from "./kernels";
import type { BrowserBackend } from "./messages";
import { tf } from "./own_tf";

/** Tried in this order: the first two load fast and are everywhere. */
export const BACKENDS: readonly BrowserBackend[] = ["cpu", "wasm", "webgl", "webgpu"];

/** This device does not offer the backend; the message says why, for the person. */
export class Unavailable extends Error {}

/** A GPU drawn by the CPU. Slower than WASM, so only trained on when asked for by name. */
export class SoftwareOnly extends Unavailable {}

/** Of several, one that takes longer is left out; one asked for by name is worth a longer wait. */
const LOAD_TIMEOUT_MS = 15_000;
const FORCED_LOAD_TIMEOUT_MS = 120_000;
const SOFTWARE_RENDERER = /swiftshader|llvmpipe|software|basic render/i;

export type OnLost = (reason: string) => void;

let webglContext: WebGL2RenderingContext | null = null;
let webgpuLost = false;

/** Say whether the GPU in use was taken away; what was read since may be anything. */
export function isLost(): boolean {
  const name = engine().backendName;
  if (name === "webgl") return webglContext?.isContextLost() ?? false;
  return name === "webgpu" && webgpuLost;
}

interface LoadOptions {
  /** Asked for by name: a software GPU is then as good as any. */
  readonly forced: boolean;
  readonly onLost: OnLost;
}

/** Threads pay from four cores on, and need shared memory and workers made from blobs. */
async function threadsPossible(): Promise<boolean> {
  if (!globalThis.crossOriginIsolated || navigator.hardwareConcurrency < 4) return false;
  const url = URL.createObjectURL(new Blob(["postMessage(0)"], { type: "text/javascript" }));
  try {
    const probe = new Worker(url);
    return await new Promise<boolean>((resolve) => {
      probe.onmessage = () => resolve(true);
      probe.onerror = () => resolve(false);
      setTimeout(() => resolve(false), 1_000);
    }).finally(() => probe.terminate());
  } catch {
    return false;
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function loadWasm(): Promise<void> {
  const { setThreadsCount, setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  setWasmPaths({
    "tfjs-backend-wasm.wasm": wasmUrl,
    "tfjs-backend-wasm-simd.wasm": wasmSimdUrl,
    "tfjs-backend-wasm-threaded-simd.wasm": wasmThreadsUrl,
  });
  const threads = await threadsPossible();
  env().set("WASM_HAS_MULTITHREAD_SUPPORT", threads);
  // Half the cores: the other half stays the owner's.
  if (threads) setThreadsCount(Math.min(4, Math.floor(navigator.hardwareConcurrency / 2)));
}

async function loadWebgl({ forced, onLost }: LoadOptions): Promise<void> {
  // Our own canvas: TF.js makes none in a Worker on Safari, and shows none to listen to.
  const canvas = new OffscreenCanvas(1, 1);
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
  if (gl === null) throw new Unavailable("This browser offers no WebGL 2 in the background.");
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const renderer = String(gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  if (!forced && SOFTWARE_RENDERER.test(renderer)) throw new SoftwareOnly(`WebGL runs on ${renderer}.`);
  const { setWebGLContext } = await import("@tensorflow/tfjs-backend-webgl");
  setWebGLContext(2, gl as unknown as Parameters<typeof setWebGLContext>[1]);
  if (!env().getBool("WEBGL_RENDER_FLOAT32_ENABLED")) {
    throw new Unavailable("WebGL computes with 16 bits here, too few to train with.");
  }
  webglContext = gl;
  canvas.addEventListener("webglcontextlost", () => onLost("WebGL's context was lost."));
}

async function loadWebgpu({ forced, onLost }: LoadOptions): Promise<() => void> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Unavailable("This browser offers no WebGPU.");
  if (!forced && (adapter.info.isFallbackAdapter || SOFTWARE_RENDERER.test(adapter.info.description))) {
    throw new SoftwareOnly("WebGPU runs on the processor here.");
  }
  await import("@tensorflow/tfjs-backend-webgpu");
  return () => {
    const { device } = engine().backend as unknown as { device: GPUDevice };
    void device.lost.then(({ reason, message }) => {
      // "destroyed" is our own doing, when another backend was chosen; in use it is a loss like any.
      if (reason === "destroyed" && engine().backendName !== "webgpu") return;
      webgpuLost = true;
      onLost(`WebGPU's device was lost. ${message}`);
    });
  };
}

async function register(name: BrowserBackend, options: LoadOptions): Promise<(() => void) | null> {
  if (name === "webgpu") return loadWebgpu(options);
  if (name === "webgl") await loadWebgl(options);
  if (name === "wasm") await loadWasm();
  if (name === "cpu") await import("@tensorflow/tfjs-backend-cpu");
  return null;
}

/** Settle like `work`, or reject when it takes too long (a driver that hangs). */
export async function within<T>(milliseconds: number, work: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unavailable(`${what} takes too long here.`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Load a backend and make it the present one; raises Unavailable where the device lacks it. */
export async function useBackend(name: BrowserBackend, options: LoadOptions): Promise<void> {
  if (findBackend(name) !== null) {
    await setBackend(name);
    return;
  }
  const patienceMs = options.forced ? FORCED_LOAD_TIMEOUT_MS : LOAD_TIMEOUT_MS;
  const afterwards = await within(patienceMs, register(name, options), name);
  const started = await within(patienceMs, setBackend(name), name);
  if (!started) throw new Unavailable(`${name} does not start here.`);
  mend(tf, name);
  fuseDense(name);
  fuseConvolutions(name);
  registerClassLoss(name);
  if (HOST_BACKENDS.has(name)) registerRecurrenceOnHost(name);
  else registerRecurrenceOnGpu(name);
  afterwards?.();
}

/** Let go of loaded backends that are not to be used, with their memory. They cannot come back. */
export function keepOnly(names: readonly BrowserBackend[]): void {
  for (const other of BACKENDS) {
    if (!names.includes(other) && engine().backendNames().includes(other)) removeBackend(other);
  }
}
