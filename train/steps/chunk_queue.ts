/**
 * Runs steps in chunks, with one chunk queued ahead: while the host drains, writes and reports a chunk, the device works on the next one.
 *
 * @module
 */

import type { StepRecord } from "../../kernels/mod.ts";
import { type Example, type Objective, packBatch } from "../../models/batch.ts";
import { withSecond } from "../../models/second_batch.ts";
import type { Trainer } from "./trainer.ts";
import type { StepOrder } from "./step_order.ts";

/**
 * Returns an example, given by its index, as it is in an epoch (from 0). It must have as many rows and tokens to predict as the training
 * example, and depend only on the arguments, so that a resumed run sees the same examples as an uninterrupted one.
 */
export type ExampleIn = (index: number, epoch: number) => Example;

/** Options of the queue. */
export interface ChunkOptions {
  /** Training examples. */
  readonly train: readonly Example[];
  /** Returns a training example as it is in an epoch. Default: the same in every epoch. */
  readonly exampleIn?: ExampleIn | undefined;
  /** Language modelling or classification. */
  readonly objective: Objective;
  /** Total number of steps of the fine-tune. */
  readonly steps: number;
  /** Number of steps after which a chunk ends and nothing is queued ahead. 0 for never. */
  readonly evaluateEvery?: number;
  /** Called before a chunk is queued ahead: whether to leave the device idle after the current one. Default: no. */
  readonly pauses?: (() => boolean) | undefined;
  /** Once aborted, nothing more is queued. */
  readonly signal?: AbortSignal;
}

/** Steps that were made. */
export interface Chunk {
  /** Their records, up to the first halted one. */
  readonly made: readonly StepRecord[];
  /** The halted record, if there is one. */
  readonly halted: StepRecord | undefined;
  /** Number of steps queued. */
  readonly steps: number;
  /** Number of tokens in all branches. */
  readonly tokens: number;
  /** Milliseconds since the previous chunk was done, or since this one was queued. */
  readonly milliseconds: number;
}

interface InFlight {
  readonly records: Promise<StepRecord[]>;
  readonly steps: number;
  readonly tokens: number;
  readonly begun: number;
}

/** Duration of a chunk. With one queued ahead, Ctrl-C takes effect within twice that time. */
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

  /** `step` is the first step to make; `branches` is the number of evaluations per step. */
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

  /** Whether `next` has something to return: steps that are queued or can be queued. */
  get pending(): boolean {
    return this.#inFlight !== undefined || this.#open;
  }

  get #open(): boolean {
    return this.#step < this.#options.steps && !this.#options.signal?.aborted;
  }

  /** Whether no steps are queued, so that the offsets are those after the last chunk returned. */
  get isIdle(): boolean {
    return this.#inFlight === undefined;
  }

  /** Returns the next chunk's steps. Call it only while `pending`. */
  async next(): Promise<Chunk> {
    const chunk = this.#inFlight ?? await this.#queue();
    const { evaluateEvery = 0 } = this.#options;
    const atEvaluation = evaluateEvery > 0 && this.#step % evaluateEvery === 0;
    // The first chunk includes compilation. Only later chunks tell how long a step takes, and so how many to queue.
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

  /** Waits for steps that are still queued and did not fail, for a caller that stops. Never rejects. */
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
    // If the signal aborts, the chunk ends with the step that is being queued.
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
      // The second batch is evaluated once.
      tokens += batch.tokens * (this.#branches - (batch.second ? 1 : 0)) +
        (batch.second?.tokens ?? 0);
      await trainer.enqueueInTurns(this.#step, batch);
      queued++;
    }
    const records = trainer.drain();
    // Awaited only after the previous chunk. Until then, a lost device must not end the process by an unhandled rejection.
    records.catch(() => {});
    return { records, steps: queued, tokens, begun };
  }
}

/** The records up to the first halted one; later steps did not move anything either. */
function made(records: readonly StepRecord[]): readonly StepRecord[] {
  const halted = records.findIndex((r) => r.halted);
  return halted < 0 ? records : records.slice(0, halted);
}
