/** Start a donor in this page: the only place where session, Worker, socket and page events meet. */

import { version } from "../../package.json";
import { openArtifacts } from "../protocol/artifacts";
import { type Abort, type Handback, written } from "../protocol/messages";
import { type DonorSocket, openDonorSocket } from "../protocol/socket";
import { rememberReload, wasReloadedFor } from "./again";
import { Arbiter } from "./arbiter";
import { DEFAULT_CHOICES } from "./choices";
import { CLOCK } from "./clock";
import { openEngine } from "./engine_host";
import { memoryAllowed, reasons, type Signs } from "./manners";
import { openMemory } from "./memory";
import type { EnginePort } from "./ports";
import { Session } from "./session";
import { type DonorHandle, type DonorOptions, type DonorState, INITIAL_STATE, type Phase } from "./state";
import { watchSigns } from "./signs";
import { openStates } from "./states";
import { openTabs } from "./tabs";
import { ScreenLock } from "./wake_lock";

/** While these last, the screen stays on where that was chosen. */
const AT_WORK: ReadonlySet<Phase> = new Set([
  "connecting",
  "waiting",
  "downloading",
  "training",
  "handing_in",
  "stopping",
]);

/** Beside `potluck.start`, which the page marks at the press: what lies between was waiting. */
const FIRST_BATCH = "potluck.first_batch";

/** Only Chromium tells, and only roughly. */
function deviceGigabytes(): number | undefined {
  return (navigator as { deviceMemory?: number }).deviceMemory;
}

function sayGoodbye(origin: string, leases: Handback[]): void {
  if (leases.length === 0) return;
  const abort: Abort = { type: "abort", leases };
  // Plain text, because a beacon must not need a preflight.
  navigator.sendBeacon(`${origin}/api/v1/donor/abort`, written(abort));
}

function reload(wanted: string): boolean {
  if (wasReloadedFor(wanted) || !rememberReload(wanted)) return false;
  location.reload();
  return true;
}

/** Begin to donate; everything that happens arrives at the handle's subscribers. */
export function startDonor(options: DonorOptions = {}): DonorHandle {
  const origin = options.origin ?? location.origin;
  let choices = options.choices ?? DEFAULT_CHOICES;
  let shown: DonorState = INITIAL_STATE;
  let state: DonorState = INITIAL_STATE;
  const listeners = new Set<(state: DonorState) => void>();
  let socket: DonorSocket | null = null;

  const openSocket = (): void => {
    const url = new URL("/api/v1/donor/socket", origin.replace(/^http/, "ws"));
    socket ??= openDonorSocket(url.href, {
      connected: (send) => session.connected(send),
      received: (message) => session.received(message),
      puzzled: () => session.puzzled(),
      disconnected: () => session.disconnected(),
    });
  };
  let begun = false;
  const engine: EnginePort = openEngine(
    (event) => {
      if (event.type === "progress" && !begun) performance.mark(FIRST_BATCH);
      begun ||= event.type === "progress";
      session.heard(event);
    },
    (message) => session.engineCrashed(message),
  );
  const onPageHide = (): void => sayGoodbye(origin, session.left());
  const onPageShow = (): void => session.cameBack();
  const onOnline = (): void => socket?.hurry();
  const session = new Session(
    {
      engine,
      artifacts: openArtifacts(origin),
      states: openStates(),
      memory: openMemory(version),
      tabs: openTabs(),
      page: { reload },
      clock: CLOCK,
      openSocket,
      reopenSocket: () => socket?.reopen(),
      closeSocket: () => {
        socket?.close();
        window.removeEventListener("pagehide", onPageHide);
        window.removeEventListener("pageshow", onPageShow);
        window.removeEventListener("online", onOnline);
      },
      client: version,
      memoryBytes: memoryAllowed(choices.memoryBytes, deviceGigabytes()),
    },
    { backend: choices.backend ?? undefined, share: choices.share, ...options },
    (next) => {
      shown = next;
      publish();
    },
  );
  const screen = new ScreenLock();
  let stopWatching = (): void => undefined;
  const arbiter = new Arbiter(
    {
      pause: () => session.pause(),
      resume: () => session.resume(),
      release: () => void session.release(),
    },
    CLOCK,
  );
  const publish = (): void => {
    state = { ...shown, ownPause: arbiter.byOwner, reasons: arbiter.reasons };
    const { phase } = state;
    if (phase === "stopped" || phase === "problem") {
      stopWatching();
      arbiter.close();
    }
    void screen.want(choices.wakeLock && AT_WORK.has(phase));
    for (const listener of listeners) listener(state);
  };
  let signs: Signs | null = null;
  const consider = (): void => {
    if (signs !== null) arbiter.tell(reasons(choices, signs));
    publish();
  };
  window.addEventListener("pagehide", onPageHide);
  window.addEventListener("pageshow", onPageShow);
  window.addEventListener("online", onOnline);
  session.start();
  stopWatching = watchSigns((seen) => {
    signs = seen;
    consider();
  });

  return {
    subscribe: (listener) => {
      listeners.add(listener);
      listener(state);
      return () => listeners.delete(listener);
    },
    pause: () => {
      arbiter.pause();
      publish();
    },
    resume: () => {
      arbiter.resume();
      publish();
    },
    finishThenStop: () => session.finishThenStop(),
    stop: () => void session.stop(),
    choose: (chosen) => {
      if (chosen.share !== choices.share) session.setShare(chosen.share);
      choices = chosen;
      consider();
    },
  };
}
