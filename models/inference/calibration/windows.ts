/**
 * Passes calibration text through a model: windows of tokens in batches, with their hidden states on the device.
 *
 * @module
 */

import { assertBatchFits } from "../../batch_fits.ts";
import {
  type BatchShape,
  compileGraph,
  type Gpu,
  type Graph,
  SHADER_LIBRARY,
  Storage,
  submitPlanInTurns,
  type Value,
} from "../../../kernels/mod.ts";
import { type Example, exampleCost, packBatch, type PackedBatch } from "../../batch.ts";
import type { ModelConfig } from "../../model_config.ts";

/** The inputs of a recorded pass over the windows, shared by all batches of a shape. */
export interface WindowsInput {
  /** Capacities. */
  readonly shape: BatchShape;
  /** The batch's words. */
  readonly batch: Storage;
  /** Hidden states: `[rows][hidden]`. */
  readonly hidden: Storage;
  /** Number of rows with tokens, in one word. */
  readonly used: Storage;
}

/** A recorded pass. */
export interface RecordedPass {
  /** Operations of the pass. */
  readonly graph: Graph;
  /** New hidden states: `[rows][hidden]`. If absent, they do not change. */
  readonly next?: Value | undefined;
}

interface Batch {
  readonly words: Storage;
  readonly used: Storage;
  readonly hidden: Storage;
}

/** Windows in batches of one or several shapes, with their hidden states. */
export class CalibrationWindows implements Disposable {
  /** Number of tokens that the model reads. */
  readonly tokens: number;
  readonly #gpu: Gpu;
  readonly #shapes: { readonly input: WindowsInput; readonly batches: Batch[] }[] = [];

  /**
   * Packs and uploads windows.
   *
   * @param rows Maximum number of token rows in a batch. A longer window forms a batch of its own.
   * @throws {RangeError} when there are no windows, or one does not fit the model.
   * @throws {OutOfMemoryError} when the hidden states do not fit on the device.
   */
  constructor(
    gpu: Gpu,
    windows: readonly Example[],
    model: {
      readonly config: Pick<ModelConfig, "architecture" | "vocabulary" | "hidden">;
      readonly maxPositions: number;
    },
    rows: number,
  ) {
    if (windows.length === 0) {
      throw new RangeError("Cannot calibrate: there are no windows of text");
    }
    this.#gpu = gpu;
    let tokens = 0;
    for (const windowsOfBatch of inBatches(windows, rows)) {
      const packed = packBatch(windowsOfBatch, "language-modelling", model.maxPositions);
      assertBatchFits(packed, model);
      tokens += packed.rows;
      this.#add(packed, model.config.hidden);
    }
    this.tokens = tokens;
  }

  #add(packed: PackedBatch, width: number): void {
    const storages = (words: number, what: string) => {
      const storage = (label: string, bytes: number) =>
        new Storage(`calibration ${label}${what}`, bytes, "activations").allocate(this.#gpu);
      return {
        words: storage("tokens", words * 4),
        used: storage("rows", 4),
        hidden: storage("hidden states", packed.shape.rows * width * 4),
      };
    };
    const key = JSON.stringify(packed.shape);
    let found = this.#shapes.find(({ input }) => JSON.stringify(input.shape) === key);
    if (!found) {
      const { words, ...rest } = storages(packed.words.length, " of a pass");
      found = { input: { shape: packed.shape, batch: words, ...rest }, batches: [] };
      this.#shapes.push(found);
    }
    const batch = storages(packed.words.length, "");
    this.#gpu.write(batch.words.buffer, packed.words);
    this.#gpu.write(batch.used.buffer, Uint32Array.of(packed.rows));
    found.batches.push(batch);
  }

  /** Inputs of passes, by batch shape. */
  get shapes(): WindowsInput[] {
    return this.#shapes.map(({ input }) => input);
  }

  /** Runs a pass over all windows. It is recorded once for each shape. */
  async run(record: (input: WindowsInput) => RecordedPass, signal?: AbortSignal): Promise<void> {
    for (const { input, batches } of this.#shapes) {
      const { graph, next } = record(input);
      using plan = compileGraph(this.#gpu, graph, SHADER_LIBRARY, next ? [next] : []);
      for (const batch of batches) {
        signal?.throwIfAborted();
        const copyBy = (encoder: GPUCommandEncoder) => (from: GPUBuffer, to: Storage) =>
          encoder.copyBufferToBuffer(from, 0, to.buffer.buffer, 0, to.bytes);
        await submitPlanInTurns(this.#gpu, plan, {
          signal,
          before: (encoder) => {
            const copy = copyBy(encoder);
            copy(batch.words.buffer.buffer, input.batch);
            copy(batch.used.buffer.buffer, input.used);
            copy(batch.hidden.buffer.buffer, input.hidden);
          },
          after: (encoder) => {
            if (next) copyBy(encoder)(plan.buffer(next).buffer, batch.hidden);
          },
        });
        // With many batches queued, the signal would have no effect, and the queue could exceed the driver's time limit.
        await this.#gpu.settled();
      }
    }
  }

  /** Frees the memory. */
  [Symbol.dispose](): void {
    for (const { input, batches } of this.#shapes) {
      for (const storage of [input.batch, input.used, input.hidden]) storage[Symbol.dispose]();
      for (const batch of batches) {
        for (const storage of Object.values(batch)) storage[Symbol.dispose]();
      }
    }
  }
}

/** Groups windows into batches of up to `rows` token rows, with at least one window each. */
function* inBatches(windows: readonly Example[], rows: number): Generator<Example[]> {
  let batch: Example[] = [];
  let filled = 0;
  for (const window of windows) {
    const cost = exampleCost(window).rows;
    if (batch.length > 0 && filled + cost > rows) {
      yield batch;
      batch = [];
      filled = 0;
    }
    batch.push(window);
    filled += cost;
  }
  yield batch;
}
