/**
 * How many batches are trained before the device is waited for. On a GPU a slice stays under 10 ms, so
 * that other pages' frames find their turn; a Worker's processor only has to hear messages in time.
 */

const GPU_SLICE_MS = 7;
const HOST_SLICE_MS = 40;
const MOST_BATCHES = 256;
/** What a sample still counts after the next one. */
const MEMORY = 0.95;

/** Learns what a batch takes and what waiting takes on top, by a fading straight line through both. */
export class SliceSize {
  private goalMs = HOST_SLICE_MS;
  private last = 0;
  private turn = 0;
  private weight = 0;
  private batchesSum = 0;
  private msSum = 0;
  private squares = 0;
  private products = 0;

  /** Begin with a unit that nothing is known of. */
  open(backend: string): void {
    this.goalMs = backend === "webgl" || backend === "webgpu" ? GPU_SLICE_MS : HOST_SLICE_MS;
    this.last = this.turn = 0;
    this.weight = this.batchesSum = this.msSum = this.squares = this.products = 0;
  }

  /** Batches to train before waiting; at most twice as many as before. */
  get batches(): number {
    if (this.weight === 0) return 1;
    const fits = Math.floor(this.goalMs / this.batchMs);
    // Sizes vary a little, because from one size alone a batch cannot be told from the wait.
    const varied = this.turn % 3 === 0 ? Math.ceil(fits / 2) : fits;
    const alone = varied <= 1 && this.turn % 16 === 2 && this.msSum <= 4 * this.goalMs * this.batchesSum;
    return Math.max(alone ? 2 : 1, Math.min(varied, 2 * this.last, MOST_BATCHES));
  }

  /** Tell what a slice took, the wait for the device included. */
  took(batches: number, milliseconds: number): void {
    this.turn += 1;
    this.last = batches;
    // The first slice compiles and warms up: it says nothing of those to come.
    if (this.turn === 1) return;
    this.weight = MEMORY * this.weight + 1;
    this.batchesSum = MEMORY * this.batchesSum + batches;
    this.msSum = MEMORY * this.msSum + milliseconds;
    this.squares = MEMORY * this.squares + batches * batches;
    this.products = MEMORY * this.products + batches * milliseconds;
  }

  /** Milliseconds that a batch takes beside the wait. */
  private get batchMs(): number {
    const mean = this.msSum / this.batchesSum;
    const spread = this.squares - this.batchesSum ** 2 / this.weight;
    const slope = (this.products - (this.batchesSum * this.msSum) / this.weight) / spread;
    // Sizes that hardly differ say nothing of the slope; growing on tells soon.
    const told = spread > 1e-6 * this.squares ? slope : mean;
    return Math.min(Math.max(told, 0.01), mean);
  }
}
