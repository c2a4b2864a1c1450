/**
 * Estimators: compute one directional derivative per direction from the losses of a step's branches.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import type { Ops } from "../algebra/ops.ts";
import type { Seed } from "../directions/seed.ts";

/** One forward evaluation of a step, at `offset + amplitude * z(direction)`. */
export interface BranchSpec {
  /** Index of the direction within the step, from 0. */
  readonly direction: number;
  /** Factor of z, in units of the offset: `+epsilon`, `-epsilon`, or 0 for the unperturbed point. */
  readonly amplitude: number;
}

/** The relative distance of a direction's evaluations, drawn from the direction's seed. */
export interface Radius {
  /** Factor for the amplitudes of its branches. */
  readonly factor: number;
  /** Factor for its derivative, a host scalar of the step. */
  readonly weight: number;
}

/** Examples that are looked at along noise, where others are by the gradient. */
export interface NoiseBatches {
  /** Tokens of an example: longer ones are, and no other. Both draw from all if absent. */
  readonly longerThan?: number;
  /** Examples of a batch. As many as in the gradient's if absent. */
  readonly noiseBatchSize?: number;
}

/** Which points a step evaluates, and how derivatives follow from their losses. */
export interface Estimator {
  /** Name, as written to a ledger's header. */
  readonly name: string;
  /** Parameters, as written to a ledger's header. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** Directions per step. */
  readonly directions: number;
  /** The power of epsilon that its values are proportional to, if they are not derivatives: 1 for lengths. Default -1. */
  readonly power?: number;
  /** The evaluations of a step, in the order of the losses. */
  readonly branches: readonly BranchSpec[];
  /**
   * Whether the branches after the first are tangents: the value of each is then the derivative of the first branch's loss along its direction,
   * times its amplitude, instead of a loss. Default false.
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
  /** The relative distance of a direction's evaluations. If absent, it is always 1. */
  radius?(seed: Seed): Radius;
  /** Computes the directional derivative of each direction, without weights, from the finite value of each branch. */
  derivatives<T>(o: Ops<T>, losses: readonly T[]): T[];
}
