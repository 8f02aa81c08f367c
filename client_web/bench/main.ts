/** Starts a Worker, stock TF.js or ours (one unit, or several as one graph, or one by kernels only), and asks it for one thing after another. */

import type { Answer, Ask, ShareAnswer, ShareAsk, Side } from "./messages";

function started(side: Side): Worker {
  if (side === "stock") return new Worker(new URL("./stock.ts", import.meta.url), { type: "module" });
  if (side === "ours") return new Worker(new URL("./ours.ts", import.meta.url), { type: "module" });
  if (side === "kernels") return new Worker(new URL("./kernels.ts", import.meta.url), { type: "module" });
  return new Worker(new URL("./stacked.ts", import.meta.url), { type: "module" });
}

function ask<Asked, Told>(to: Worker, what: Asked): Promise<Told> {
  return new Promise((resolve, reject) => {
    to.onmessage = (event: MessageEvent<Told & { problem?: string }>) => {
      if (event.data.problem === undefined) resolve(event.data);
      else reject(new Error(event.data.problem));
    };
    to.onerror = (event) => reject(new Error(event.message));
    to.postMessage(what);
  });
}

/** All sides stay open, so that they can be measured in turn. */
const workers = new Map<Side, Worker>();

const bench = {
  ask(side: Side, what: Ask): Promise<Answer> {
    const found = workers.get(side) ?? started(side);
    workers.set(side, found);
    return ask(found, what);
  },
  share(what: ShareAsk): Promise<ShareAnswer> {
    const worker = new Worker(new URL("./share.ts", import.meta.url), { type: "module" });
    return ask<ShareAsk, ShareAnswer>(worker, what).finally(() => worker.terminate());
  },
  close(): void {
    for (const one of workers.values()) one.terminate();
    workers.clear();
  },
};

declare global {
  interface Window {
    bench: typeof bench;
  }
}

window.bench = bench;
