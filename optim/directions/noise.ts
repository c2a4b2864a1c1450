/**
 * Directions: z as a pure function of seed, tensor and element index.
 *
 * The key is the seed and the counter is `(index >> 2, tensorId)`. The two output words are four 16-bit lanes, selected by `index & 3` (low half
 * of the first word, its high half, then the second word). Every level has at most four significant bits, and an element of a low-rank direction
 * has seven, so a coefficient with 16 significant bits times z is exact in f32.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import { fillElements } from "./elements.ts";
import { type Distribution, DISTRIBUTIONS } from "./law.ts";
import { longestRow } from "./low_rank.ts";
import type { Seed } from "./seed.ts";
import type { NoisePlace } from "../trainable.ts";
import {
  type CompleteStructures,
  structureIn,
  type StructureName,
  structureNames,
  structureOf,
} from "./structures.ts";

export { type Distribution, DISTRIBUTIONS } from "./law.ts";
export { masterSeed, type Seed, stepSeed } from "./seed.ts";
export type { FillNoise, Structure, StructureShader } from "./structure.ts";
export { threefry2x32 } from "./threefry.ts";

/** The law of a direction: the distribution of its elements and its structure. */
export interface Law {
  /** The distribution of an element that is not dropped, or of an element of a factor. */
  readonly dense: Distribution;
  /** The structure. Absent if the second word of a seed is as random as the first. */
  readonly structure?: StructureName;
}

/** All laws: every distribution, without a structure and with each. */
export const laws: readonly Law[] = DISTRIBUTIONS.flatMap((dense) => [
  { dense },
  ...structureNames.map((structure) => ({ dense, structure })),
]);

/**
 * The law of directions with a distribution and a plan, which may have a structure.
 *
 * @example The law of a masked optimiser
 * ```ts
 * import { lawOf, sparseZo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(lawOf("rademacher", sparseZo().plan), { dense: "rademacher", structure: "mask" });
 * ```
 */
export function lawOf(dense: Distribution, plan: CompleteStructures = {}): Law {
  const structure = structureIn(plan);
  return structure === undefined ? { dense } : { dense, structure };
}

/** Changes whenever the same seed would give a different direction. Ledgers with another version are rejected. */
export const NOISE_VERSION = 1;

/** The greatest power of two by which z can be larger or smaller in one tensor. */
export const largestGain = 8;

function checkRange(
  { dense, structure }: Law,
  start: number,
  count: number,
  { width = longestRow, share = 0, gain = 0 }: NoisePlace,
): void {
  for (
    const [what, value, known] of [
      ["distribution", dense, DISTRIBUTIONS],
      ["structure", structure, [undefined, ...structureNames]],
    ] as const
  ) {
    if ((known as readonly unknown[]).includes(value)) continue;
    throw new RangeError(
      `Cannot make noise: unknown ${what} ${JSON.stringify(value)}; expected one of ${
        known.filter((name) => name !== undefined).join(", ")
      }`,
    );
  }
  if (!(Number.isInteger(start) && start >= 0 && start + count <= 2 ** 32)) {
    throw new RangeError(
      `Cannot make noise: elements ${start} to ${start + count - 1} are outside 0 to 2^32 - 1`,
    );
  }
  integerWithin("noise", "the width", width, 1, longestRow);
  integerWithin("noise", "the share", share, 0, 65536);
  integerWithin("noise", "the gain", gain, -largestGain, largestGain);
}

/**
 * One element of a direction.
 *
 * @param law Law of the direction; a distribution alone means no structure.
 * @param tensorId CRC-32 of the tensor's name, a u32.
 * @param index Index of the element within its tensor, a u32.
 * @param place The facts about the tensor that low-rank directions and masks need.
 *
 * @example The same element, alone or as part of a range
 * ```ts
 * import { fillNoise, masterSeed, noiseAt, stepSeed } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const seed = stepSeed(masterSeed(1), 0, 0);
 * const z = fillNoise("normal", seed, 42, 10, new Float32Array(5));
 * assertEquals(z[3], noiseAt("normal", seed, 42, 13));
 * ```
 */
export function noiseAt(
  law: Law | Distribution,
  seed: Seed,
  tensorId: number,
  index: number,
  place: NoisePlace = {},
): number {
  return fillNoise(law, seed, tensorId, index, new Float32Array(1), place)[0];
}

/**
 * Fills `out` with the elements `start`, `start + 1`, ... of a direction, and returns it.
 *
 * @param place As for {@linkcode noiseAt}.
 *
 * @example The same elements, at once or one by one
 * ```ts
 * import { fillNoise, masterSeed, noiseAt, stepSeed, tensorId } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const seed = stepSeed(masterSeed(0), 3, 0);
 * const id = tensorId("blk.0.attn_q.weight");
 * const z = fillNoise("rademacher", seed, id, 8, new Float32Array(4));
 * assertEquals(z[1], noiseAt("rademacher", seed, id, 9));
 * ```
 */
export function fillNoise<Out extends Float32Array>(
  law: Law | Distribution,
  seed: Seed,
  tensorId: number,
  start: number,
  out: Out,
  place: NoisePlace = {},
): Out {
  const { dense, structure } = typeof law === "string" ? { dense: law } as Law : law;
  checkRange({ dense, structure }, start, out.length, place);
  const fill = structure === undefined ? undefined : structureOf(structure).fill;
  (fill ?? fillElements)(dense, seed, tensorId, start, out, place);
  const { gain = 0 } = place;
  // Multiplying by a power of two is exact.
  if (gain !== 0) { for (let i = 0; i < out.length; i++) out[i] *= 2 ** gain; }
  return out;
}
