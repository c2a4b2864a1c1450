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

/** The examples used for noise, if the gradient has its own batch. */
export interface NoiseBatches {
  /** Number of tokens above which an example is used for noise; shorter ones are used for the gradient. If absent, both draw from all examples. */
  readonly longerThan?: number;
  /** Examples per batch. If absent, as many as in the gradient's batch. */
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
   * Whether the last direction is the normalised gradient of the loss instead of noise. The value of the last branch is then the gradient's
   * norm. All other directions are noise. Default false.
   */
  readonly exact?: boolean;
  /**
   * The number of a model's last blocks to which the gradient applies; the noise then applies only to the blocks below. If absent, the gradient
   * covers everything that is trained.
   */
  exactBlocks?(blocks: number): number;
  /**
   * The examples used for noise, if the gradient has its own batch; the loss on that batch is the value of the branch before the last. If
   * absent, both use the same batch.
   */
  readonly batches?: NoiseBatches;
  /** The relative distance of a direction's evaluations. If absent, it is always 1. */
  radius?(seed: Seed): Radius;
  /** Computes the directional derivative of each direction, without weights, from the finite value of each branch. */
  derivatives<T>(o: Ops<T>, losses: readonly T[]): T[];
}
