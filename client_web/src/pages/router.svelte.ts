/** Addresses: a table of patterns, the History API, and pages loaded when first needed. */

import type { Component } from "svelte";

export interface Route {
  readonly pattern: string;
  readonly load: () => Promise<{ default: Component<Record<string, string>> }>;
}

export interface Match {
  readonly route: Route;
  readonly params: Record<string, string>;
}

/** Find the first route that fits `path`, with what stood in its `{name}` places. */
export function match(routes: readonly Route[], path: string): Match | null {
  const parts = path.split("/").filter(Boolean);
  for (const route of routes) {
    const wanted = route.pattern.split("/").filter(Boolean);
    if (wanted.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((piece, i) => {
      const part = parts[i] ?? "";
      if (!piece.startsWith("{")) return piece === part;
      const value = decoded(part);
      params[piece.slice(1, -1)] = value ?? "";
      return value !== null;
    });
    if (fits) return { route, params };
  }
  return null;
}

/** What an address's part says; null for bytes that are no text (`%ff`), which name nothing. */
function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

class Place {
  path = $state("/");
  query = $state("");
}

export const place = new Place();

function readPlace(): void {
  place.path = location.pathname;
  place.query = location.search;
}

/** Go to an address of this site without loading the page again. */
export function go(to: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(null, "", to);
  else history.replaceState(null, "", to);
  const before = place.path;
  readPlace();
  if (place.path !== before) scrollTo(0, 0);
}

function onClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest("a");
  if (!link || link.target || link.hasAttribute("download")) return;
  if (link.origin !== location.origin || link.pathname.startsWith("/api/")) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
}

/** Follow the browser's address, and take over clicks on links of this site. */
export function startRouter(): void {
  readPlace();
  addEventListener("popstate", readPlace);
  document.addEventListener("click", onClick);
}
