/**
 * WebGL: the small number that losses and optimizers add before they divide. TF.js takes the one for 16 bits
 * wherever textures have 32, the wrong way round, and so trains otherwise than on every other backend.
 */

import type { Core } from "./registry";

/** Keras's, and TF.js's on every other backend. */
const EPSILON = 1e-7;

interface WebglBackend {
  epsilon: () => number;
  floatPrecision: () => 16 | 32;
}

/** Let a WebGL backend, now or once it starts, count as what it is; with 16 bits it stays as it was. */
export function mendEpsilon(tf: Core): void {
  const mendStarted = (started: unknown): void => {
    if (!tf.env().getBool("WEBGL_RENDER_FLOAT32_ENABLED")) return;
    const backend = started as WebglBackend;
    backend.epsilon = () => EPSILON;
    backend.floatPrecision = () => 32;
  };
  const running = tf.engine().registry["webgl"];
  if (running !== undefined) mendStarted(running);
  // TF.js calls every kernel's `setupFunc` when a backend starts.
  const some = tf.getKernel("Identity", "webgl");
  tf.unregisterKernel("Identity", "webgl");
  tf.registerKernel({
    ...some,
    setupFunc: (backend) => {
      some.setupFunc?.(backend);
      mendStarted(backend);
    },
  });
}
