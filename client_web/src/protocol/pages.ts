/** Long lists come in pages: what they hold is given as it comes, to the last page. */

interface Named {
  readonly id: string;
}

/** Read a list page by page. `page` asks for the one that begins at an offset; `take` gets all that is known so far. */
export async function readPages<Item extends Named>(
  page: (offset: number) => Promise<readonly Item[]>,
  take: (found: readonly Item[]) => void,
): Promise<void> {
  const found = new Map<string, Item>();
  for (;;) {
    const before = found.size;
    for (const item of await page(before)) if (!found.has(item.id)) found.set(item.id, item);
    if (before > 0 && found.size === before) return;
    take([...found.values()]);
    if (found.size === before) return;
  }
}
