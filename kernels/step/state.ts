/**
 * The state of a training run on the device, and the records that the host drains.
 *
 * @module
 */

import type { Optimiser } from "../../optim/optimiser.ts";
import { Storage } from "../device/storage.ts";

/** Words at the start of the control block, before the optimiser's state: number of steps recorded, and the halted flag. */
export const CONTROL_WORDS = 2;

/**
 * The state of a training run on the device.
 *
 * @example What a step of qzoNormalised leaves
 * ```ts
 * import { StepState } from "@qzo/qzo/kernels";
 * import { qzoNormalised } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const state = new StepState(qzoNormalised(), 64);
 * const { losses, derivatives, coefficients } = state.parseRecord(new Float32Array(64 * state.recordWords), 0);
 * assertEquals([losses.length, derivatives.length, coefficients.length], [2, 1, 1]);
 * ```
 */
export class StepState implements Disposable {
  /** Number of steps recorded since the last reset, the halted flag, then the chain's state scalars. */
  readonly control: Storage;
  /** Seed and coefficient of each direction moved along. */
  readonly coefficients: Storage;
  /** Records of one chunk of steps. */
  readonly records: Storage;
  /** f32 words per record: status, losses, derivatives, coefficients, state. */
  readonly recordWords: number;
  /** The most steps in a chunk. */
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

  /** All memory of the state. */
  get storages(): Storage[] {
    return [this.control, this.coefficients, this.records];
  }

  /** The initial contents of the control block: no steps recorded, not halted, the given state of the chain. */
  initialControl(
    state: readonly number[] = this.#optimiser.transformation.init(),
  ): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(CONTROL_WORDS + state.length);
    new Float32Array(words.buffer).set(state, CONTROL_WORDS);
    return words;
  }

  /** Parses a drained record. */
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
  /** Whether a loss or coefficient was not finite in this or an earlier step. In that case no offset was moved. */
  readonly halted: boolean;
  /** One loss per branch, then one per candidate of the accept rule. */
  readonly losses: readonly number[];
  /** One derivative per direction. */
  readonly derivatives: readonly number[];
  /** The factors of z, one per direction moved along. */
  readonly coefficients: readonly number[];
  /** The chain's state after the step. */
  readonly state: readonly number[];
}
