/**
 * Estimators: from the losses of a step's branches to one directional derivative per direction.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import type { Ops } from "../algebra/ops.ts";
import type { Seed } from "../directions/seed.ts";

/** One forward evaluation of a step: at `offset + amplitude * z(direction)`. */
export interface BranchSpec {
  /** Which of the step's directions, from 0. */
  readonly direction: number;
  /** What multiplies z, in units of the offset: `+epsilon`, `-epsilon`, or 0 for the unperturbed point. */
  readonly amplitude: number;
}

/** How far a direction is looked along, drawn from its seed. */
export interface Radius {
  /** What multiplies the amplitudes of its branches. */
  readonly factor: number;
  /** What multiplies its derivative; a host scalar of the step. */
  readonly weight: number;
}

/** Examples that are looked at along noise, where others are by the gradient. */
export interface NoiseBatches {
  /** Tokens of an example: longer ones are, and no other. Both draw from all if absent. */
  readonly longerThan?: number;
  /** Examples of a batch. As many as in the gradient's if absent. */
  readonly noiseBatchSize?: number;
}

/** How a step looks around itself. */
export interface Estimator {
  /** As written into a ledger's header. */
  readonly name: string;
  /** As written into a ledger's header. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** Directions of a step. */
  readonly directions: number;
  /** The power of epsilon that its values go with, where they are no derivatives: 1 of lengths. -1 if absent. */
  readonly power?: number;
  /** The evaluations of a step, in the order of the losses. */
  readonly branches: readonly BranchSpec[];
  /**
   * Whether the branches after the first are tangents: what is told of each is the derivative of the first one's loss along its direction times
   * its amplitude, instead of a loss. False if absent.
   */
  readonly tangents?: boolean;
  /**
   * Whether the last direction is the normalised gradient of the loss instead of noise; what is told of the last branch is the gradient's norm. The
   * other directions, if there are any, are noise. False if absent.
   */
  readonly exact?: boolean;
  /**
   * Of how many of a model's blocks, the last ones, the gradient is; noise is then of what is below them alone. Of all that is trained if absent.
   */
  exactBlocks?(blocks: number): number;
  /** Which examples noise is looked along on, where the gradient has a batch of its own, whose loss the branch before the last is. The same if absent. */
  readonly batches?: NoiseBatches;
  /** How far a direction is looked along; always as far as its branches say if absent. */
  radius?(seed: Seed): Radius;
  /** The directional derivative of each direction, not weighted, from what is told of each branch, which is finite. */
  derivatives<T>(o: Ops<T>, losses: readonly T[]): T[];
}
