/**
 * Going on after a reload that this page made itself. Only a person's press starts a donor: it is
 * remembered for this tab alone, and for one reload.
 */

const GO_ON = "potluck.go_on";
const RELOADED_FOR = "potluck.reloaded_for";

function session(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

/** Remember that the donor at work in this tab is to go on after the reload for `version`. */
export function rememberReload(version: string): boolean {
  try {
    session()?.setItem(RELOADED_FOR, version);
    session()?.setItem(GO_ON, "yes");
  } catch {
    return false;
  }
  return session()?.getItem(GO_ON) === "yes";
}

/** Say whether this tab was reloaded for a version already: a second time would change nothing. */
export function wasReloadedFor(version: string): boolean {
  return session()?.getItem(RELOADED_FOR) === version;
}

/** Take the permission to go on, once. */
export function takeGoOn(): boolean {
  const kept = session()?.getItem(GO_ON) === "yes";
  session()?.removeItem(GO_ON);
  return kept;
}
