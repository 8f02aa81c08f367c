/** The engine's Worker, which can be thrown away and started afresh. */

import type { FromEngine } from "../engine/messages";
import type { EnginePort } from "./ports";

/** Start the Worker; `heard` gets what it says, `crashed` why it broke. */
export function openEngine(
  heard: (event: FromEngine) => void,
  crashed: (message: string) => void,
): EnginePort {
  const start = (): Worker => {
    const worker = new Worker(new URL("../engine/worker.ts", import.meta.url), {
      type: "module",
      name: "potluck-engine",
    });
    worker.onmessage = (event: MessageEvent<FromEngine>) => heard(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      crashed(event.message || "The training program could not be loaded.");
    };
    return worker;
  };
  let worker = start();
  return {
    post: (message) => worker.postMessage(message),
    restart: () => {
      worker.terminate();
      worker = start();
    },
    close: () => worker.terminate(),
  };
}
