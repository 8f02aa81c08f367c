/** Looks at the device and its owner, through what this browser tells. */

import { type Signs, YIELD_MS } from "./manners";

interface Battery extends EventTarget {
  readonly charging: boolean;
  readonly level: number;
}

interface Connection extends EventTarget {
  readonly saveData?: boolean;
  readonly type?: string;
}

type Telling = Navigator & {
  readonly getBattery?: () => Promise<Battery>;
  readonly connection?: Connection;
};

/** The hour changes without an event. */
const LOOK_EVERY_MS = 15_000;
/** What a person does. Not `scroll`: a page scrolls by itself where its own text grows or shrinks. */
const ACTS = ["keydown", "pointerdown", "wheel", "touchmove"] as const;
/** Acts on a donor's own controls are meant for it. */
const OWN_CONTROLS = "[data-donor-controls]";

/** Look now and whenever something changes; returns the way to stop looking. */
export function watchSigns(see: (signs: Signs) => void): () => void {
  const { connection, getBattery } = navigator as Telling;
  const over = new AbortController();
  let battery: Battery | null = null;
  let actedAt = Number.NEGATIVE_INFINITY;
  let quiet: ReturnType<typeof setTimeout> | undefined;

  const look = (): void => {
    if (over.signal.aborted) return;
    const now = new Date();
    see({
      battery: battery === null ? null : { charging: battery.charging, level: battery.level },
      savesData: connection?.saveData === true,
      cellular: connection?.type === "cellular",
      hidden: document.visibilityState === "hidden",
      quietMs: performance.now() - actedAt,
      minute: 60 * now.getHours() + now.getMinutes(),
    });
  };
  const act = ({ target }: Event): void => {
    if (target instanceof Element && target.closest(OWN_CONTROLS) !== null) return;
    const wasQuiet = performance.now() - actedAt >= YIELD_MS;
    actedAt = performance.now();
    clearTimeout(quiet);
    quiet = setTimeout(look, YIELD_MS + 10);
    // A turn of the wheel is many events; the first one says it all.
    if (wasQuiet) look();
  };
  const { signal } = over;
  for (const name of ACTS) addEventListener(name, act, { signal, passive: true, capture: true });
  document.addEventListener("visibilitychange", look, { signal });
  connection?.addEventListener?.("change", look, { signal });
  const timer = setInterval(look, LOOK_EVERY_MS);
  look();
  void getBattery?.call(navigator).then(
    (found) => {
      battery = found;
      for (const name of ["chargingchange", "levelchange"]) found.addEventListener(name, look, { signal });
      look();
    },
    () => undefined, // a browser that does not tell: there is no battery to care for
  );
  return () => {
    over.abort();
    clearInterval(timer);
    clearTimeout(quiet);
  };
}
