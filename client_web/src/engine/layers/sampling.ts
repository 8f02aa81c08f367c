/** Images seen through a flat map: where each pixel comes from, and how much it takes of its neighbours. */

/** x' = a0 x + a1 y + a2, y' = b0 x + b1 y + b2. */
export type Affine = readonly [number, number, number, number, number, number];

export interface Samples {
  /** For each pixel and neighbour the row of the flattened batch that it takes from. */
  readonly rows: Int32Array;
  readonly weights: Float32Array;
  /** How much of the fill value a pixel takes. */
  readonly filled: Float32Array;
}

/** Bring an index into 0..size - 1, or give -1 for the fill value. */
function inside(index: number, size: number, mode: string): number {
  if (index >= 0 && index < size) return index;
  const modulo = (value: number, by: number): number => ((value % by) + by) % by;
  if (mode === "constant") return -1;
  if (mode === "nearest") return index < 0 ? 0 : size - 1;
  if (mode === "wrap") return modulo(index, size);
  if (mode === "mirror") return size === 1 ? 0 : Math.abs(modulo(index + size - 1, 2 * size - 2) - size + 1);
  const folded = modulo(index, 2 * size);
  return folded < size ? folded : 2 * size - 1 - folded;
}

/** Sample each of a batch of images through its map; four neighbours a pixel, or the nearest alone. */
export function sample(
  maps: readonly Affine[],
  [height, width]: readonly [number, number],
  interpolation: string,
  mode: string,
): Samples {
  const near = interpolation === "nearest" ? 1 : 2;
  const pixels = maps.length * height * width;
  const rows = new Int32Array(pixels * near * near);
  const weights = new Float32Array(rows.length);
  const filled = new Float32Array(pixels);
  maps.forEach(([a0, a1, a2, b0, b1, b2], image) => {
    for (let place = 0; place < height * width; place++) {
      const [x, y] = [place % width, Math.floor(place / width)];
      const [fromX, fromY] = [a0 * x + a1 * y + a2, b0 * x + b1 * y + b2];
      const [left, top] = near === 1 ? [Math.round(fromX), Math.round(fromY)] : [Math.floor(fromX), Math.floor(fromY)];
      const pixel = image * height * width + place;
      for (let corner = 0; corner < near * near; corner++) {
        const [right, down] = [corner % near, Math.floor(corner / near)];
        const [dx, dy] = [fromX - left, fromY - top];
        const weight = near === 1 ? 1 : (right === 1 ? dx : 1 - dx) * (down === 1 ? dy : 1 - dy);
        const [column, row] = [inside(left + right, width, mode), inside(top + down, height, mode)];
        if (column < 0 || row < 0) {
          filled[pixel] = (filled[pixel] ?? 0) + weight;
          continue;
        }
        rows[corner * pixels + pixel] = (image * height + row) * width + column;
        weights[corner * pixels + pixel] = weight;
      }
    }
  });
  return { rows, weights, filled };
}
