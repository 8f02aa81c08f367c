/** Server-sent events that rest while nobody looks: closed in a hidden tab, reopened when seen. */

export interface Listeners {
  readonly [event: string]: (data: unknown) => void;
}

const AGAIN_MS = 3000;

/** What the page may say about the connection. */
export type Connection = "connecting" | "live" | "resting" | "lost";

/**
 * Listen to `path` until the returned function is called. Each event's data is JSON.
 * A hidden tab holds no connection: browsers allow six to one origin over HTTP/1.1.
 */
export function listen(
  path: string,
  listeners: Listeners,
  onConnection: (connection: Connection) => void,
): () => void {
  let source: EventSource | null = null;
  let again: ReturnType<typeof setTimeout> | undefined;

  const open = (): void => {
    if (source !== null) return;
    onConnection("connecting");
    source = new EventSource(path);
    source.addEventListener("open", () => onConnection("live"));
    source.addEventListener("error", () => {
      onConnection("lost");
      // The browser reconnects by itself, except after an answer that was no stream (a restart's 502).
      if (source?.readyState === EventSource.CLOSED) {
        close();
        again = setTimeout(follow, AGAIN_MS);
      }
    });
    for (const [name, listener] of Object.entries(listeners)) {
      source.addEventListener(name, (event) => {
        listener(JSON.parse((event as MessageEvent<string>).data || "null"));
      });
    }
  };
  const close = (): void => {
    clearTimeout(again);
    source?.close();
    source = null;
  };
  const follow = (): void => {
    if (document.hidden) {
      close();
      onConnection("resting");
    } else open();
  };

  document.addEventListener("visibilitychange", follow);
  follow();
  return () => {
    document.removeEventListener("visibilitychange", follow);
    close();
  };
}
