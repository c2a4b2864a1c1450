/**
 * What a training run keeps on the device from step to step, and the records that the host drains.
 *
 * @module
 */

import type { Optimiser } from "../../optim/optimiser.ts";
import { Storage } from "../device/storage.ts";

/** Words of the control block before the state: steps recorded, halted. */
export const CONTROL_WORDS = 2;

/** The device-resident state of a training run. */
export class StepState implements Disposable {
  /** Steps recorded since the last reset, halted flag, then the chain's state scalars. */
  readonly control: Storage;
  /** Per direction moved along: seed, coefficient. */
  readonly coefficients: Storage;
  /** Records of a chunk of steps. */
  readonly records: Storage;
  /** f32 words of one record: status, losses, derivatives, coefficients, state. */
  readonly recordWords: number;
  /** Steps a chunk may have. */
  readonly capacity: number;
  readonly #optimiser: Optimiser;

  /** Describes the memory for chunks of up to `capacity` steps. */
  constructor(optimiser: Optimiser, capacity: number) {
    const { estimator, transformation, moves, evaluations } = optimiser;
    this.#optimiser = optimiser;
    this.capacity = capacity;
    this.recordWords = 1 + evaluations + estimator.directions + moves + transformation.stateSize;
    this.control = new Storage(
      "step control",
      (CONTROL_WORDS + transformation.stateSize) * 4,
      "optimiser",
    );
    this.coefficients = new Storage("coefficients", moves * 16, "optimiser");
    this.records = new Storage("step records", capacity * this.recordWords * 4, "optimiser");
  }

  /** All its memory. */
  get storages(): Storage[] {
    return [this.control, this.coefficients, this.records];
  }

  /** The control block to upload before a run: nothing recorded, not halted, the chain's state. */
  initialControl(
    state: readonly number[] = this.#optimiser.transformation.init(),
  ): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(CONTROL_WORDS + state.length);
    new Float32Array(words.buffer).set(state, CONTROL_WORDS);
    return words;
  }

  /** Reads a drained record. */
  parseRecord(words: Float32Array, index: number): StepRecord {
    const { estimator, transformation, moves, evaluations } = this.#optimiser;
    let at = index * this.recordWords;
    const take = (count: number) => [...words.subarray(at, at += count)];
    const [status] = take(1);
    return {
      halted: status !== 1,
      losses: take(evaluations),
      derivatives: take(estimator.directions),
      coefficients: take(moves),
      state: take(transformation.stateSize),
    };
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    for (const storage of this.storages) storage[Symbol.dispose]();
  }
}

/** What the device did in one step. */
export interface StepRecord {
  /** A loss or a coefficient was not finite, in this step or before: no offset was moved. */
  readonly halted: boolean;
  /** One per branch, then one per candidate of the accept rule. */
  readonly losses: readonly number[];
  /** One per direction. */
  readonly derivatives: readonly number[];
  /** What multiplied z, one per direction moved along. */
  readonly coefficients: readonly number[];
  /** The chain's state after the step. */
  readonly state: readonly number[];
}
