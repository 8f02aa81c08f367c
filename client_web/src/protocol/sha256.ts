/**
 * SHA-256 of bytes as lower-case hexadecimal: the browser's own where it has one. On plain HTTP in a
 * local network (`crypto.subtle` is absent there) a small version in JavaScript does it.
 */

const ROUND_CONSTANTS = firstFractionBits(64, 1 / 3);
const START = firstFractionBits(8, 1 / 2);

/** First 32 bits of the fractional part of the first primes' roots: FIPS 180-4, sections 4.2 and 5.3. */
function firstFractionBits(count: number, power: number): Uint32Array {
  const words = new Uint32Array(count);
  for (let candidate = 2, found = 0; found < count; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate && prime; divisor++) {
      prime = candidate % divisor !== 0;
    }
    if (prime) words[found++] = ((candidate ** power) % 1) * 2 ** 32;
  }
  return words;
}

function pad(bytes: Uint8Array): DataView {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
  return view;
}

/** Compute SHA-256 without the browser's help. */
export function sha256InScript(bytes: Uint8Array): string {
  const view = pad(bytes);
  const state = Uint32Array.from(START);
  const w = new Int32Array(64);
  const turn = (word: number, by: number): number => (word >>> by) | (word << (32 - by));
  for (let block = 0; block < view.byteLength; block += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(block + 4 * i);
    for (let i = 16; i < 64; i++) {
      const early = w[i - 15] ?? 0;
      const late = w[i - 2] ?? 0;
      const s0 = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
      const s1 = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
      w[i] = ((w[i - 16] ?? 0) + s0 + (w[i - 7] ?? 0) + s1) | 0;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const choice = (e & f) ^ (~e & g);
      const t1 = (h + s1 + choice + (ROUND_CONSTANTS[i] ?? 0) + (w[i] ?? 0)) | 0;
      const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] ?? 0) + word));
  }
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
}

/** Compute the SHA-256 of bytes, as lower-case hexadecimal. */
export async function sha256(bytes: ArrayBuffer): Promise<string> {
  // The types promise `subtle`; a page on plain HTTP has none.
  const subtle = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle;
  if (subtle === undefined) return sha256InScript(new Uint8Array(bytes));
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
