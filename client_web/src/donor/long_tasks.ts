/** Counts what kept the page's own thread busy for over 50 ms, after the first second of donating. */

export interface LongTasks {
  readonly count: number;
  readonly longestMs: number;
  /** False where this browser does not tell. */
  readonly told: boolean;
}

const SETTLING_MS = 1_000;

/** Watch from now on; returns the way to stop watching. */
export function watchLongTasks(see: (tasks: LongTasks) => void): () => void {
  const types: readonly string[] = globalThis.PerformanceObserver?.supportedEntryTypes ?? [];
  const told = types.includes("longtask");
  let tasks: LongTasks = { count: 0, longestMs: 0, told };
  see(tasks);
  if (!told) return () => undefined;
  const from = performance.now() + SETTLING_MS;
  const observer = new PerformanceObserver((list) => {
    const late = list.getEntries().filter(({ startTime }) => startTime >= from);
    if (late.length === 0) return;
    const longestMs = Math.max(tasks.longestMs, ...late.map(({ duration }) => duration));
    tasks = { count: tasks.count + late.length, longestMs, told };
    see(tasks);
  });
  observer.observe({ type: "longtask" });
  return () => observer.disconnect();
}
