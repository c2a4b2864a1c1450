/**
 * How a tensor's weights differ from its file: by trained offsets and, per branch, by a multiple of fresh noise.
 *
 * @module
 */

import type { FrozenBy } from "../../optim/preparations/frozen.ts";
import type { Law } from "../../optim/directions/noise.ts";
import type { Trainable } from "../../optim/trainable.ts";
import type { Range } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import type { ShaderKey } from "../device/template.ts";

/** The offsets of one tensor, and the noise of the branches. */
export interface Perturbation extends Pick<Trainable, "id" | "form" | "span" | "share" | "gain"> {
  /** The offsets. For quantised tensors `[span][stride]`; for dense tensors and codebooks, in the order of the elements. */
  readonly offsets: Storage | Range;
  /**
   * Number of offsets between one span and the next: rows rounded up to a multiple of 4. For codebooks, the columns of
   * an entry.
   */
  readonly stride: number;
  /** The noise. If absent, only the offsets apply, as in evaluation. */
  readonly noise?: BranchNoise | undefined;
  /** Whether reading returns the derivative along the noise, for the branches after the first. Default false. */
  readonly tangent?: boolean | undefined;
}

/** The same perturbation without noise: the point at which tangents are taken. */
export function withoutNoise(perturbation: Perturbation): Perturbation {
  return { ...perturbation, noise: undefined };
}

/** Seeds and amplitudes by branch on the device: 16 bytes each (seed low, seed high, f32 amplitude, 0). */
export interface BranchNoise {
  /** Distribution and structure of z. */
  readonly law: Law;
  /** How frozen offsets are recognised. Default: by their value. */
  readonly frozen?: FrozenBy | undefined;
  /** 16 bytes per branch. */
  readonly branches: Storage | Range;
}

/** The part of a shader key that describes the offsets and noise. */
export function perturbationKey(perturbation: Perturbation | undefined): ShaderKey {
  return {
    FORM: perturbation?.form ?? "none",
    NOISE: perturbation?.noise !== undefined,
    TANGENT: perturbation?.tangent ?? false,
    ...lawKey(perturbation?.noise?.law, perturbation?.noise?.frozen),
  };
}

/**
 * The traits of a tensor's noise in one word: its gain in bits 24-31 and, below, one more than its share of a mask (0
 * if it has none).
 */
export function packNoise(
  { share, gain = 0 }: Pick<Perturbation, "share" | "gain"> = {},
): number {
  return ((gain << 24) | (share === undefined ? 0 : share + 1)) >>> 0;
}

/** The part of a shader key that says how noise.wgsl generates z. */
export function lawKey(
  { dense, structure }: Law = { dense: "normal" },
  frozen: FrozenBy = "value",
): ShaderKey {
  return { LAW: dense, STRUCTURE: structure ?? "none", FROZEN: frozen };
}
