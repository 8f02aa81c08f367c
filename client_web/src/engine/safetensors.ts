/**
 * Read and write safetensors in the canonical form of docs/protocol.md: header keys ascending with
 * `__metadata__` first, no spaces inside, padded with spaces to a multiple of 8 bytes, tensors in the
 * same order. Equal contents therefore have equal bytes, and one SHA-256.
 */

export type TensorData = Float32Array | Int32Array;

export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface Tensors {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

/** The bytes are not what they should be; the message says what is wrong. */
export class BadTensors extends Error {}

const PREFIX_BYTES = 8;

/** Order by code point, as Python does. JavaScript's default is by UTF-16 unit. */
function byCodePoint(left: string, right: string): number {
  const a = Array.from(left, (character) => character.codePointAt(0) ?? 0);
  const b = Array.from(right, (character) => character.codePointAt(0) ?? 0);
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Write tensors canonically. */
export function writeSafetensors({ metadata, tensors }: Tensors): ArrayBuffer {
  const names = [...tensors.keys()].sort(byCodePoint);
  const header: [string, unknown][] = [];
  const notes = Object.entries(metadata).sort(([a], [b]) => byCodePoint(a, b));
  if (notes.length > 0) header.push(["__metadata__", Object.fromEntries(notes)]);
  let end = 0;
  const placed = names.map((name) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new BadTensors(`no tensor ${name}`);
    const start = end;
    end += tensor.data.byteLength;
    const dtype = tensor.data instanceof Int32Array ? "I32" : "F32";
    header.push([name, { dtype, shape: tensor.shape, data_offsets: [start, end] }]);
    return { start, data: tensor.data };
  });
  // Written pair by pair: an object would move keys that look like numbers to the front.
  const pairs = header.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const text = new TextEncoder().encode(`{${pairs.join(",")}}`);
  const headerBytes = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(PREFIX_BYTES + headerBytes + end).fill(0x20, 0, PREFIX_BYTES + headerBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.set(text, PREFIX_BYTES);
  for (const { start, data } of placed) {
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    bytes.set(raw, PREFIX_BYTES + headerBytes + start);
  }
  return bytes.buffer;
}

interface Entry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const { dtype, shape, data_offsets } = value as Partial<Record<keyof Entry, unknown>>;
  const counts = (list: unknown): boolean =>
    Array.isArray(list) && list.every((size) => Number.isSafeInteger(size) && size >= 0);
  return (
    typeof dtype === "string" &&
    counts(shape) &&
    counts(data_offsets) &&
    Array.isArray(data_offsets) &&
    data_offsets.length === 2
  );
}

function readHeader(bytes: ArrayBuffer): { header: Record<string, unknown>; body: number } {
  if (bytes.byteLength < PREFIX_BYTES) throw new BadTensors("shorter than a safetensors prefix");
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const body = PREFIX_BYTES + length;
  if (!Number.isSafeInteger(body) || body > bytes.byteLength) {
    throw new BadTensors(`header of ${length} bytes does not fit the ${bytes.byteLength} there are`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, PREFIX_BYTES, length)));
  } catch {
    throw new BadTensors("the header is not JSON");
  }
  if (typeof parsed !== "object" || parsed === null) throw new BadTensors("the header is no object");
  return { header: parsed as Record<string, unknown>, body };
}

/** Read tensors of float32 and int32; each gets its own memory. */
export function readSafetensors(bytes: ArrayBuffer): Tensors {
  const { header, body } = readHeader(bytes);
  const tensors = new Map<string, HostTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      metadata = Object.fromEntries(Object.entries(entry ?? {}).map(([k, v]) => [k, String(v)]));
      continue;
    }
    if (!isEntry(entry)) throw new BadTensors(`${name}: its entry is malformed`);
    const [start, end] = entry.data_offsets;
    if (end < start || body + end > bytes.byteLength || end - start !== 4 * count(entry.shape)) {
      throw new BadTensors(`${name}: its bytes do not fit its shape or the file`);
    }
    const raw = bytes.slice(body + start, body + end);
    if (entry.dtype !== "F32" && entry.dtype !== "I32") {
      throw new BadTensors(`${name}: ${entry.dtype} instead of F32 or I32`);
    }
    const data = entry.dtype === "F32" ? new Float32Array(raw) : new Int32Array(raw);
    tensors.set(name, { shape: entry.shape, data });
  }
  return { metadata, tensors };
}
