/** How the tabs of one browser hear each other: a BroadcastChannel, where there is one. */

import type { TabsPort, TabWord } from "./ports";

const CHANNEL = "potluck.tabs";

function isWord(value: unknown): value is TabWord {
  const word = value as Partial<TabWord> | null;
  return typeof word?.tab === "string" && (word.type === "gone" || (word.type === "here" && Array.isArray(word.tokens)));
}

/** Join the tabs of this browser under a name that no other has. */
export function openTabs(): TabsPort {
  const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
  return {
    name: Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-"),
    tell: (word) => channel?.postMessage(word),
    listen: (hear) => {
      if (channel === null) return;
      channel.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (isWord(data)) hear(data);
      };
    },
    close: () => channel?.close(),
  };
}
