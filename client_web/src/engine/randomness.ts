/**
 * The counter-based generator of docs/protocol.md: Threefry-2x32, 20 rounds. Every draw is a function
 * of (seed, purpose, place), so that any step can be resumed anywhere.
 *
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 */

const PARITY = 0x1bd11bda;

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

/** Write the two words for one key and counter (two uint32 each) to `out[at]` and `out[at + 1]`. */
export function threefryInto(
  out: Uint32Array,
  at: number,
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
): void {
  const key2 = PARITY ^ key0 ^ key1;
  let a = (counter0 + key0) | 0;
  let b = (counter1 + key1) | 0;
  for (let block = 0; block < 5; block++) {
    const even = block % 2 === 0;
    a = (a + b) | 0;
    b = rotate(b, even ? 13 : 17) ^ a;
    a = (a + b) | 0;
    b = rotate(b, even ? 15 : 29) ^ a;
    a = (a + b) | 0;
    b = rotate(b, even ? 26 : 16) ^ a;
    a = (a + b) | 0;
    b = rotate(b, even ? 6 : 24) ^ a;
    const turn = block % 3;
    a = (a + (turn === 0 ? key1 : turn === 1 ? key2 : key0)) | 0;
    b = (b + (turn === 0 ? key2 : turn === 1 ? key0 : key1) + block + 1) | 0;
  }
  out[at] = a;
  out[at + 1] = b;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let word = start;
  for (let bit = 0; bit < 8; bit++) word = word & 1 ? 0xedb88320 ^ (word >>> 1) : word >>> 1;
  return word;
});

/** Name a stream of random numbers: CRC-32 of its purpose's UTF-8 bytes. */
export function stream(purpose: string): number {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(purpose)) {
    crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Up to this many rows a draw and its row number fit one double exactly, and sort as numbers. */
const ROWS_IN_ONE_DOUBLE = 2 ** 21;

/** Give the order in which an epoch visits its rows: a stable sort of one draw a row. */
export function epochOrder(seed: number, epoch: number, rows: number): Int32Array {
  const purpose = stream("order");
  const words = new Uint32Array(2);
  const draws = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) {
    threefryInto(words, 0, seed, purpose, epoch, row);
    draws[row] = words[0] ?? 0;
  }
  if (rows <= ROWS_IN_ONE_DOUBLE) {
    const keyed = Float64Array.from(draws, (draw, row) => draw * ROWS_IN_ONE_DOUBLE + row).sort();
    return Int32Array.from(keyed, (value) => value % ROWS_IN_ONE_DOUBLE);
  }
  const order = Int32Array.from(draws, (_, row) => row);
  return order.sort((left, right) => (draws[left] ?? 0) - (draws[right] ?? 0) || left - right);
}

/** Give the words that decide what a layer drops at a step, `size` of them (or one more). */
export function dropoutWords(seed: number, layer: string, step: number, size: number): Uint32Array {
  const purpose = stream(`dropout/${layer}`);
  const words = new Uint32Array(size + (size % 2));
  for (let pair = 0; 2 * pair < size; pair++) {
    threefryInto(words, 2 * pair, seed, purpose, step, pair);
  }
  return words;
}

/** Write each element's factor: 0 where its word drops it, else 1 / (1 - rate). */
export function factorsOf(words: Uint32Array, rate: number, factors: Float32Array): void {
  const threshold = Math.floor(rate * 2 ** 32);
  const kept = 1 / (1 - rate);
  for (let i = 0; i < factors.length; i++) factors[i] = (words[i] ?? 0) >= threshold ? kept : 0;
}

/** Give the factor for each of `size` elements (C order): 0 where dropped, else 1 / (1 - rate). */
export function dropoutFactors(
  seed: number,
  layer: string,
  step: number,
  rate: number,
  size: number,
): Float32Array {
  const factors = new Float32Array(size);
  factorsOf(dropoutWords(seed, layer, step, size), rate, factors);
  return factors;
}
