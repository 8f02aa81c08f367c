/** Work that waits until somebody looks. */

const AHEAD = "200px";

/**
 * Run `act` once, when `element` is seen or nearly, and the page has nothing more urgent to do.
 * Gives what calls it off.
 */
export function whenSeen(element: Element, act: () => Promise<void>): () => void {
  let off = false;
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      whenIdle(() => {
        if (!off) void act();
      });
    },
    { rootMargin: AHEAD },
  );
  observer.observe(element);
  return () => {
    off = true;
    observer.disconnect();
  };
}

/** Safari has no `requestIdleCallback`. */
function whenIdle(act: () => void): void {
  if (typeof requestIdleCallback === "function") requestIdleCallback(act, { timeout: 1000 });
  else setTimeout(act, 100);
}
