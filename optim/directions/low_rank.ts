/**
 * Low-rank directions: z is a product of thin factors over the matrix of a tensor's offsets.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import { assertOptions } from "../options.ts";
import { type Distribution, laneOf, level } from "./law.ts";
import type { Seed } from "./seed.ts";
import type { Structure } from "./structure.ts";
import { threefry2x32 } from "./threefry.ts";

/**
 * Directions `z[span][row] = sum over r of v[span][r] u[row][r]` over the matrix of a tensor's offsets. `u` is drawn for every direction from
 * the given distribution. `v` is 1 or -1 and is kept for `keep` steps.
 *
 * Signs in `v` limit z to 7 significant bits, so that coefficients times z are exact. Elements have mean 0 and variance `rank`. In a tensor that
 * is not quantised, the matrix's rows take the place of spans, and its columns that of rows. A vector has one span, and therefore a full
 * direction.
 *
 * Source: LOZO (arXiv 2410.07698), in which `v` is normal.
 */
export interface LowRank {
  /** Number of columns of the factors, 1 to 8. */
  readonly rank: number;
  /** Number of steps that share `v`. Default 50. */
  readonly keep?: number;
}

/**
 * Fills in the defaults of a low rank.
 *
 * @throws {RangeError} when the rank is not an integer from 1 to 8, or `keep` is not a positive integer.
 */
export function completeLowRank(options: LowRank): Required<LowRank> {
  assertOptions("make low-rank directions", options, { rank: "any", keep: "any" });
  const { rank, keep = 50 } = options;
  integerWithin("low-rank directions", "rank", rank, 1, 8);
  integerWithin("low-rank directions", "keep", keep, 1, 0xffffffff);
  return { rank, keep };
}

const lowRankDomain = 0x6c6f7772;

/** The most rows that a factor can have: two bits of a quad's number are used for the column. */
export const longestRow: number = 2 ** 30;

/**
 * Fills in the elements `start`, `start + 1`, ... of a matrix with `width` columns. `v` is bit r of the generator with the key (second word,
 * domain) and the counter (span, tensor). `u` is lane row & 3 of the generator with the seed and the counter (row >> 2 | r << 28, tensor).
 */
function fillLowRank(
  dense: Distribution,
  seed: Seed,
  tensorId: number,
  width: number,
  start: number,
  out: Float32Array,
): void {
  let span = -1;
  let quad = -1;
  let signs = 0;
  let factors: [number, number][] = [];
  for (let i = 0; i < out.length; i++) {
    const row = (start + i) % width;
    if (i === 0 || row === 0) {
      span = Math.floor((start + i) / width);
      [signs] = threefry2x32([seed[1], lowRankDomain], [span, tensorId]);
    }
    if (row >>> 2 !== quad) {
      quad = row >>> 2;
      factors = Array.from(
        { length: (seed[1] >>> 29) + 1 },
        (_, r) => threefry2x32(seed, [(quad | (r << 28)) >>> 0, tensorId]),
      );
    }
    let z = 0;
    for (let r = 0; r < factors.length; r++) {
      const u = level(dense, laneOf(factors[r], row));
      z += (signs >>> r) & 1 ? u : -u;
    }
    out[i] = z;
  }
}

/** Low-rank directions. The seed's second word identifies the kept factor: rank - 1 in bits 29-31, an identifier in the rest. */
export const lowRank: Structure<LowRank, Required<LowRank>> = {
  name: "lowRank",
  complete: completeLowRank,
  word({ rank, keep }, master, draw, direction) {
    const [name] = threefry2x32(master, [Math.floor(draw / keep), lowRankDomain + direction]);
    return (((rank - 1) << 29) | (name >>> 3)) >>> 0;
  },
  fill: (dense, seed, tensorId, start, out, { width = longestRow }) =>
    fillLowRank(dense, seed, tensorId, width, start, out),
  wgsl: {
    z: `\
  // As optim/directions/low_rank.ts has it: signs kept by the seed's second word, times factors of the whole seed.
  let row = quad % width;
  let signs = threefry(vec2<u32>(seed.y, 0x6c6f7772u), vec2<u32>(quad / width, tensor)).x;
  var z = vec4<f32>();
  for (var r = 0u; r <= seed.y >> 29u; r++) {
    let u = level4(lanes4(threefry(seed, vec2<u32>(row | (r << 28u), tensor))));
    z += select(-u, u, ((signs >> r) & 1u) != 0u);
  }
  return z * gain;`,
  },
};
