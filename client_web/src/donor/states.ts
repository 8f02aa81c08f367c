/** The newest state of each unit, in IndexedDB. Where there is none, nothing is kept, and that is all. */

import type { Snapshot } from "../engine/messages";
import type { StatePort } from "./ports";

const DATABASE = "potluck";
const STORE = "states";
const KEPT_MS = 3 * 24 * 3_600_000;

interface Row {
  readonly snapshot: Snapshot;
  readonly savedAt: number;
}

function settle<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed"));
  });
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settle(request);
}

async function forgetOld(database: IDBDatabase): Promise<void> {
  const store = database.transaction(STORE, "readwrite").objectStore(STORE);
  for (const key of await settle(store.getAllKeys())) {
    const row = (await settle(store.get(key))) as Row | undefined;
    if (row === undefined || Date.now() - row.savedAt > KEPT_MS) store.delete(key);
  }
}

/** Open the local states; every failure is swallowed, because each only costs training again. */
export function openStates(): StatePort {
  let database: Promise<IDBDatabase> | null = null;
  const run = async <T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>) => {
    try {
      database ??= open().then(async (opened) => {
        await forgetOld(opened);
        return opened;
      });
      return await settle(act((await database).transaction(STORE, mode).objectStore(STORE)));
    } catch {
      return null;
    }
  };
  return {
    load: async (unitId) => {
      const row = (await run("readonly", (store) => store.get(unitId))) as Row | null | undefined;
      return row?.snapshot ?? null;
    },
    save: async (unitId, snapshot) => {
      const row: Row = { snapshot, savedAt: Date.now() };
      await run("readwrite", (store) => store.put(row, unitId));
    },
    remove: async (unitId) => {
      await run("readwrite", (store) => store.delete(unitId));
    },
  };
}
