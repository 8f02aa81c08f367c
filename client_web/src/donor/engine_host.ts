/** The engine's Worker, which can be thrown away and started afresh, and whose death is noticed. */

import type { FromEngine } from "../engine/messages";
import type { EnginePort } from "./ports";

const DIED = "The training program ended by itself.";

/** Act once the Worker of this name, which holds the lock of its name, is no more. */
async function whenDead(name: string, act: () => void): Promise<void> {
  // A Worker that closes itself, or that the browser kills, sends no word; its lock comes free.
  await navigator.locks.request(name, act);
}

/** Start the Worker; `heard` gets what it says, `crashed` why it broke. */
export function openEngine(
  heard: (event: FromEngine) => void,
  crashed: (message: string) => void,
): EnginePort {
  let current: Worker | null = null;
  let started = 0;

  const start = (): Worker => {
    // A name that no other tab's Worker has.
    const name = `potluck-engine-${Math.random().toString(36).slice(2)}-${(started += 1)}`;
    const worker = new Worker(new URL("../engine/worker.ts", import.meta.url), { type: "module", name });
    const broke = (message: string): void => {
      if (current === worker) crashed(message);
    };
    worker.onmessage = ({ data }: MessageEvent<FromEngine>) => {
      if (current !== worker) return;
      if (data.type === "alive") void whenDead(name, () => broke(DIED));
      else heard(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      broke(event.message || "The training program could not be loaded.");
    };
    return worker;
  };

  current = start();
  return {
    post: (message) => current?.postMessage(message),
    restart: () => {
      current?.terminate();
      current = start();
    },
    close: () => {
      current?.terminate();
      current = null;
    },
  };
}
