/**
 * Directions: z as a pure function of seed, tensor and element index.
 *
 * Key = seed, counter = `(index >> 2, tensorId)`; the two output words are four 16-bit lanes, chosen by `index & 3`
 * (low half of the first word, its high half, then the second word's). Every level has at most four significant bits, of a
 * low rank seven, so a coefficient of 16 significant bits times z is exact in f32.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import { countHalves, type Distribution, DISTRIBUTIONS, laneOf, laws, level } from "./law.ts";
import { fillLowRank, longestRow } from "./low_rank.ts";
import type { Seed } from "./seed.ts";
import { threefry2x32 } from "./threefry.ts";

export { type Distribution, DISTRIBUTIONS, type Law, laws, type Structure } from "./law.ts";
export { masterSeed, type Seed, stepSeed } from "./seed.ts";
export { threefry2x32 } from "./threefry.ts";

/** The second key word of masks. */
const maskKey = 0x7370617e;

/** The mask of four elements as two words of two lanes, each to compare with the lanes that stay. */
function maskWords([, word]: Seed, tensorId: number, quad: number): [number, number] {
  if ((word & 0x8000) === 0) return threefry2x32([word, maskKey], [quad, tensorId]);
  // One draw for the whole tensor, beyond the quads of any.
  const [draw] = threefry2x32([word, maskKey], [0xffffffff, tensorId]);
  const lane = draw & 0xffff;
  const both = (lane | (lane << 16)) >>> 0;
  return [both, both];
}

/** Changes whenever the same seed would give another direction; a ledger with another version is refused. */
export const NOISE_VERSION = 1;

/** The largest power of two by which tensors differ in z, either way. */
export const largestGain = 8;

/** What noise needs to know of a tensor besides its id. */
export interface NoisePlace {
  /** Elements of a row of its matrix, for low-rank directions; all by default. */
  readonly width?: number | undefined;
  /** Elements that a mask leaves, in 65536ths, where tensors differ (see {@linkcode Mask}); what the seed says by default. */
  readonly share?: number | undefined;
  /** z is multiplied by 2 to this power, -{@linkcode largestGain} to {@linkcode largestGain}, where tensors differ; 0 by default. */
  readonly gain?: number | undefined;
}

function checkRange(
  distribution: Distribution,
  start: number,
  count: number,
  { width = longestRow, share = 0, gain = 0 }: NoisePlace,
): void {
  if (!DISTRIBUTIONS.includes(distribution)) {
    throw new RangeError(
      `Cannot make noise: unknown distribution ${JSON.stringify(distribution)}, known are ${
        DISTRIBUTIONS.join(", ")
      }`,
    );
  }
  if (!(Number.isInteger(start) && start >= 0 && start + count <= 2 ** 32)) {
    throw new RangeError(
      `Cannot make noise: elements ${start} to ${start + count - 1} lie outside 0 to 2^32 - 1`,
    );
  }
  integerWithin("noise", "the width", width, 1, longestRow);
  integerWithin("noise", "the share", share, 0, 65536);
  integerWithin("noise", "the gain", gain, -largestGain, largestGain);
}

/**
 * One element of a direction.
 *
 * @param tensorId u32, the CRC-32 of the tensor's name.
 * @param index u32, the element's index in its tensor.
 * @param place what low-rank directions and masks need to know of the tensor.
 *
 * @example The same element, whoever asks
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
  distribution: Distribution,
  seed: Seed,
  tensorId: number,
  index: number,
  place: NoisePlace = {},
): number {
  return fillNoise(distribution, seed, tensorId, index, new Float32Array(1), place)[0];
}

/** One element, before its tensor's gain, of directions that are not of low rank. */
function elementAt(
  distribution: Distribution,
  seed: Seed,
  tensorId: number,
  index: number,
  place: NoisePlace,
): number {
  const { dense, structure } = laws[distribution];
  const words = threefry2x32(seed, [index >>> 2, tensorId]);
  if (structure === "mask") {
    const mask = laneOf(maskWords(seed, tensorId, index >>> 2), index);
    if (mask >= keptLanes(seed, place)) return 0;
  }
  return level(dense, laneOf(words, index));
}

/**
 * Fills `out` with the elements `start`, `start + 1`, ... of a direction and returns it.
 *
 * @param place as of {@linkcode noiseAt}.
 */
export function fillNoise<Out extends Float32Array>(
  distribution: Distribution,
  seed: Seed,
  tensorId: number,
  start: number,
  out: Out,
  place: NoisePlace = {},
): Out {
  checkRange(distribution, start, out.length, place);
  const { dense, structure } = laws[distribution];
  if (structure === "lowRank") {
    fillLowRank(dense, seed, tensorId, place.width ?? longestRow, start, out);
  } else {
    fillElements(distribution, seed, tensorId, start, out, place);
  }
  const { gain = 0 } = place;
  // A power of two: as exact as z was.
  if (gain !== 0) { for (let i = 0; i < out.length; i++) out[i] *= 2 ** gain; }
  return out;
}

function fillElements(
  distribution: Distribution,
  seed: Seed,
  tensorId: number,
  start: number,
  out: Float32Array,
  place: NoisePlace,
): void {
  const { dense, structure } = laws[distribution];
  let at = 0;
  while (at < out.length && ((start + at) & 3) !== 0) {
    out[at] = elementAt(distribution, seed, tensorId, start + at, place);
    at++;
  }
  const whole = (out.length - at) & ~3;
  const quads = out.subarray(at, at + whole);
  fillQuads(dense === "normal", seed, tensorId, (start + at) / 4, quads);
  if (structure === "mask") {
    maskQuads(seed, tensorId, (start + at) / 4, quads, keptLanes(seed, place));
  }
  for (at += whole; at < out.length; at++) {
    out[at] = elementAt(distribution, seed, tensorId, start + at, place);
  }
}

/** Lanes, from 0, that a mask leaves. */
function keptLanes(seed: Seed, { share }: NoisePlace): number {
  return share ?? (seed[1] >>> 16) + 1;
}

/** Zeroes what the seed's mask leaves out. */
function maskQuads(
  seed: Seed,
  tensorId: number,
  firstQuad: number,
  out: Float32Array,
  kept: number,
): void {
  for (let at = 0, quad = firstQuad; at < out.length; at += 4, quad++) {
    const [a, b] = maskWords(seed, tensorId, quad);
    if ((a & 0xffff) >= kept) out[at] = 0;
    if (a >>> 16 >= kept) out[at + 1] = 0;
    if ((b & 0xffff) >= kept) out[at + 2] = 0;
    if (b >>> 16 >= kept) out[at + 3] = 0;
  }
}

/** Threefry with its rounds written out, four elements a call: the one hot loop of a replay on the host. */
function fillQuads(
  normal: boolean,
  seed: Seed,
  tensorId: number,
  firstQuad: number,
  out: Float32Array,
): void {
  const k0 = seed[0] | 0;
  const k1 = seed[1] | 0;
  const k2 = 0x1bd11bda ^ k0 ^ k1;
  const b0 = (tensorId + k1) | 0;
  for (let at = 0, quad = firstQuad; at < out.length; at += 4, quad++) {
    let a = (quad + k0) | 0;
    let b = b0;
    a = (a + b) | 0, b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0, b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0, b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0, b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k1) | 0, b = (b + k2 + 1) | 0;
    a = (a + b) | 0, b = ((b << 17) | (b >>> 15)) ^ a;
    a = (a + b) | 0, b = ((b << 29) | (b >>> 3)) ^ a;
    a = (a + b) | 0, b = ((b << 16) | (b >>> 16)) ^ a;
    a = (a + b) | 0, b = ((b << 24) | (b >>> 8)) ^ a;
    a = (a + k2) | 0, b = (b + k0 + 2) | 0;
    a = (a + b) | 0, b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0, b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0, b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0, b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k0) | 0, b = (b + k1 + 3) | 0;
    a = (a + b) | 0, b = ((b << 17) | (b >>> 15)) ^ a;
    if (normal) {
      const first = countHalves(a);
      const second = countHalves(b);
      out[at] = ((first & 31) - 8) / 2;
      out[at + 1] = ((first >>> 16) - 8) / 2;
      out[at + 2] = ((second & 31) - 8) / 2;
      out[at + 3] = ((second >>> 16) - 8) / 2;
    } else {
      out[at] = (a & 1) * 2 - 1;
      out[at + 1] = ((a >>> 16) & 1) * 2 - 1;
      out[at + 2] = (b & 1) * 2 - 1;
      out[at + 3] = ((b >>> 16) & 1) * 2 - 1;
    }
  }
}
