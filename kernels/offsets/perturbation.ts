/**
 * What makes a tensor's weights differ from its file: trained offsets, and per branch a multiple of fresh noise.
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
  /** Where its offsets lie. Quantised: `[span][stride]`; dense tensors and codebooks: as their elements. */
  readonly offsets: Storage | Range;
  /** Offsets from one span to the next: rows rounded up to 4; of codebooks the columns of an entry. */
  readonly stride: number;
  /** Absent: offsets only, for evaluation. */
  readonly noise?: BranchNoise | undefined;
  /** What is read is the derivative along the noise instead, of the branches after the first. Default false. */
  readonly tangent?: boolean | undefined;
}

/** The weights as they are, without noise: what tangents are taken at. */
export function withoutNoise(perturbation: Perturbation): Perturbation {
  return { ...perturbation, noise: undefined };
}

/** Seeds and amplitudes by branch, on the device: 16 bytes each (seed lo, seed hi, f32 amplitude, 0). */
export interface BranchNoise {
  /** The law of z. */
  readonly law: Law;
  /** How frozen offsets are told; by their value if absent. */
  readonly frozen?: FrozenBy | undefined;
  /** 16 bytes a branch. */
  readonly branches: Storage | Range;
}

/** The part of a shader key that says how offsets and noise enter. */
export function perturbationKey(perturbation: Perturbation | undefined): ShaderKey {
  return {
    FORM: perturbation?.form ?? "none",
    NOISE: perturbation?.noise !== undefined,
    TANGENT: perturbation?.tangent ?? false,
    ...lawKey(perturbation?.noise?.law, perturbation?.noise?.frozen),
  };
}

/** What the noise of a tensor differs by, its traits: its gain in bits 24-31, and 1 more than its share of a mask below, 0 for none given. */
export function packNoise(
  { share, gain = 0 }: Pick<Perturbation, "share" | "gain"> = {},
): number {
  return ((gain << 24) | (share === undefined ? 0 : share + 1)) >>> 0;
}

/** The part of a shader key that says how noise.wgsl draws. */
export function lawKey(
  { dense, structure }: Law = { dense: "normal" },
  frozen: FrozenBy = "value",
): ShaderKey {
  return { LAW: dense, STRUCTURE: structure ?? "none", FROZEN: frozen };
}
