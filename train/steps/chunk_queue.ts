/**
 * Steps in chunks, one chunk ahead: while the host drains, writes and tells about a chunk, the device is at work on the next.
 *
 * @module
 */

import type { StepRecord } from "../../kernels/mod.ts";
import { type Example, type Objective, packBatch, withSecond } from "../../models/batch.ts";
import type { Trainer } from "./trainer.ts";
import type { StepOrder } from "./step_order.ts";

/**
 * An example of an epoch, counted from 0, by its index: of as many rows and tokens to predict as the training example. A function of its
 * arguments alone, so that a run that goes on sees what an unbroken one would.
 */
export type ExampleIn = (index: number, epoch: number) => Example;

/** What the queue needs to know of a fine-tune. */
export interface ChunkOptions {
  /** Training examples. */
  readonly train: readonly Example[];
  /** A training example as an epoch sees it. Default: the same in each. */
  readonly exampleIn?: ExampleIn | undefined;
  /** What losses mean. */
  readonly objective: Objective;
  /** Steps of the whole fine-tune. */
  readonly steps: number;
  /** Steps after which a chunk ends and nothing is queued ahead; 0 for none. */
  readonly evaluateEvery?: number;
  /** Asked before a chunk is queued ahead: whether to leave the device idle after the one on its way. Default: no. */
  readonly pauses?: (() => boolean) | undefined;
  /** Once aborted, nothing more is queued. */
  readonly signal?: AbortSignal;
}

/** Steps that were made. */
export interface Chunk {
  /** Their records, up to the first that halted. */
  readonly made: readonly StepRecord[];
  /** The record that halted, if one did. */
  readonly halted: StepRecord | undefined;
  /** Steps queued. */
  readonly steps: number;
  /** Tokens of all branches. */
  readonly tokens: number;
  /** Since the chunk before was done, or since this one was queued. */
  readonly milliseconds: number;
}

interface InFlight {
  readonly records: Promise<StepRecord[]>;
  readonly steps: number;
  readonly tokens: number;
  readonly begun: number;
}

/** How long a chunk takes: with one ahead, Ctrl-C is served within twice that. */
const CHUNK_MILLISECONDS = 400;

/** Queues chunks of steps on a trainer. */
export class ChunkQueue {
  readonly #trainer: Trainer;
  readonly #order: StepOrder;
  readonly #options: ChunkOptions;
  readonly #branches: number;
  #step: number;
  #inFlight: InFlight | undefined;
  #perStep: number | undefined;
  #done = 0;

  /** `step` is the first to make; `branches` the evaluations of a step. */
  constructor(
    trainer: Trainer,
    order: StepOrder,
    options: ChunkOptions,
    { step, branches }: { readonly step: number; readonly branches: number },
  ) {
    this.#trainer = trainer;
    this.#order = order;
    this.#options = options;
    this.#step = step;
    this.#branches = branches;
  }

  /** Whether `next` has something to return: steps on their way, or to be queued. */
  get pending(): boolean {
    return this.#inFlight !== undefined || this.#open;
  }

  get #open(): boolean {
    return this.#step < this.#options.steps && !this.#options.signal?.aborted;
  }

  /** Whether nothing is on its way: offsets are those after the last chunk told. */
  get isIdle(): boolean {
    return this.#inFlight === undefined;
  }

  /** The next chunk's steps. Call only while `pending`. */
  async next(): Promise<Chunk> {
    const chunk = this.#inFlight ?? await this.#queue();
    const { evaluateEvery = 0 } = this.#options;
    const atEvaluation = evaluateEvery > 0 && this.#step % evaluateEvery === 0;
    // The first chunk compiles: only later ones say how long a step takes, and so how many to queue.
    const ahead = this.#perStep !== undefined && this.#open && !atEvaluation &&
      !this.#options.pauses?.();
    this.#inFlight = ahead ? await this.#queue() : undefined;
    const records = await chunk.records;
    const now = performance.now();
    const milliseconds = now - Math.max(chunk.begun, this.#done);
    this.#done = now;
    const perStep = milliseconds / chunk.steps;
    this.#perStep = this.#perStep === undefined ? perStep : (this.#perStep + perStep) / 2;
    const { steps, tokens } = chunk;
    const halted = records.find((r) => r.halted);
    return { made: made(records), halted, steps, tokens, milliseconds };
  }

  /** Steps that are still on their way, and were not refused; for a caller who stops. Never rejects. */
  async rest(): Promise<readonly StepRecord[]> {
    const records = await this.#inFlight?.records.catch(() => []) ?? [];
    this.#inFlight = undefined;
    return made(records);
  }

  async #queue(): Promise<InFlight> {
    const { train, exampleIn, objective, steps, evaluateEvery = 0 } = this.#options;
    const trainer = this.#trainer;
    const wanted = this.#perStep === undefined
      ? 1
      : Math.max(1, Math.round(CHUNK_MILLISECONDS / this.#perStep));
    const left = evaluateEvery > 0 ? evaluateEvery - this.#step % evaluateEvery : Infinity;
    const count = Math.min(wanted, steps - this.#step, left, trainer.capacity);
    const begun = performance.now();
    let tokens = 0;
    // Told to stop, a chunk ends with the step that is being queued.
    let queued = 0;
    for (; queued < count && !(queued > 0 && this.#options.signal?.aborted); this.#step++) {
      const epoch = Math.floor(this.#step / this.#order.stepsPerEpoch);
      const packed = (indices: readonly number[]) => {
        const examples = indices.map((index) => exampleIn ? exampleIn(index, epoch) : train[index]);
        return packBatch(examples, objective, trainer.model);
      };
      const first = packed(this.#order.batch(this.#step));
      const second = this.#order.second?.(this.#step);
      const batch = second ? withSecond(first, packed(second)) : first;
      // The second is evaluated once.
      tokens += batch.tokens * (this.#branches - (batch.second ? 1 : 0)) +
        (batch.second?.tokens ?? 0);
      await trainer.enqueueInTurns(this.#step, batch);
      queued++;
    }
    const records = trainer.drain();
    // Awaited only after the chunk before: a device that is lost meanwhile must not end the process.
    records.catch(() => {});
    return { records, steps: queued, tokens, begun };
  }
}

/** The records up to the first that halted: those behind it moved nothing either. */
function made(records: readonly StepRecord[]): readonly StepRecord[] {
  const halted = records.findIndex((r) => r.halted);
  return halted < 0 ? records : records.slice(0, halted);
}
