import { expect, test } from "vitest";
import { readPages } from "./pages";

const LISTED = ["a", "b", "c", "d", "e"].map((id) => ({ id }));

async function told(page: (offset: number) => readonly { id: string }[]): Promise<{ asked: number[]; taken: string[] }> {
  const asked: number[] = [];
  const taken: string[] = [];
  await readPages(
    (offset) => {
      asked.push(offset);
      return Promise.resolve(page(offset));
    },
    (found) => taken.push(found.map(({ id }) => id).join("")),
  );
  return { asked, taken };
}

test("every page is read, and what is known is given as it comes", async () => {
  const { asked, taken } = await told((offset) => LISTED.slice(offset, offset + 2));
  expect(asked).toEqual([0, 2, 4, 5]);
  expect(taken).toEqual(["ab", "abcd", "abcde"]);
});

test("an empty list is given as one", async () => {
  expect(await told(() => [])).toEqual({ asked: [0], taken: [""] });
});

test("what came before is given once, though the list has grown at its beginning meanwhile", async () => {
  const { taken } = await told((offset) => (offset === 0 ? LISTED.slice(0, 2) : offset < 5 ? LISTED.slice(offset - 1) : []));
  expect(taken.at(-1)).toBe("abcde");
});

test("a coordinator without pages ends the reading", async () => {
  expect((await told(() => LISTED)).asked).toEqual([0, 5]);
});
