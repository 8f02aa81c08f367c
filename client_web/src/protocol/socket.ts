/** The donor's WebSocket, opened again and again with backoff and jitter until it is closed. */

import { type CoordinatorMessage, type DonorMessage, parseMessage, written } from "./messages";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

/** Give the wait before try number `failures` + 1: doubling, and never the same for many tabs at once. */
export function reconnectDelay(failures: number, random: () => number): number {
  const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
  return most * (0.5 + 0.5 * random());
}

export interface SocketListener {
  readonly connected: (send: (message: DonorMessage) => void) => void;
  readonly received: (message: CoordinatorMessage) => void;
  /** Something came that this bundle does not understand. */
  readonly puzzled: (text: string) => void;
  readonly disconnected: () => void;
}

export interface DonorSocket {
  readonly close: () => void;
  /** The network is back: do not wait for the next try. */
  readonly hurry: () => void;
  /** Nobody answers any more: give this connection up, whatever the browser thinks of it. */
  readonly reopen: () => void;
}

/** Open the donor socket at `url` and keep it open; `listener` hears of everything. */
export function openDonorSocket(url: string, listener: SocketListener): DonorSocket {
  let socket: WebSocket | null = null;
  let open = false;
  let closed = false;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const connect = (): void => {
    clearTimeout(timer);
    const current = new WebSocket(url);
    socket = current;
    current.onopen = () => {
      if (socket !== current) return;
      open = true;
      listener.connected((message) => {
        if (current.readyState === WebSocket.OPEN) current.send(written(message));
      });
    };
    current.onmessage = (event: MessageEvent<unknown>) => {
      if (socket !== current) return;
      const text = String(event.data);
      const message = parseMessage(text);
      // Only an answer proves that the other side is well; a proxy opens sockets too.
      if (message !== null) failures = 0;
      if (message === null) listener.puzzled(text);
      else listener.received(message);
    };
    current.onclose = () => {
      if (socket === current) letGo();
    };
  };

  const letGo = (): void => {
    const was = open;
    socket = null;
    open = false;
    if (was) listener.disconnected();
    if (!closed) timer = setTimeout(connect, reconnectDelay(failures++, Math.random));
  };

  connect();
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      socket?.close();
    },
    hurry: () => {
      failures = 0;
      if (!closed && socket === null) connect();
    },
    reopen: () => {
      const old = socket;
      if (old === null || closed) return;
      letGo();
      // The closing handshake may wait for an answer that never comes, so nobody waits for it.
      old.close();
    },
  };
}
