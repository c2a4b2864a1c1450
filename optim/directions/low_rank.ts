/**
 * Low-rank directions: z over the matrix of a tensor's offsets as a product of thin factors.
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
 * Directions `z[span][row] = sum over r of v[span][r] u[row][r]` over the matrix of a tensor's offsets. `u` is drawn anew for
 * every direction, by the law of the distribution; `v` is 1 or -1 and stays for `keep` steps.
 *
 * Signs in `v` keep z at 7 significant bits, so that coefficients times z stay exact. Elements have mean 0 and variance `rank`.
 * Of a tensor that is not quantised the rows are what spans are here, and its columns the rows; a vector has one span, and thus a full
 * direction.
 *
 * Source: LOZO (arXiv 2410.07698), whose `v` is normal.
 */
export interface LowRank {
  /** Columns of the factors, 1 to 8. */
  readonly rank: number;
  /** Steps that share `v`; 50 by default. */
  readonly keep?: number;
}

/**
 * A low rank with nothing left open.
 *
 * @throws RangeError when the rank is not an integer from 1 to 8, or steps to keep it not one from 1.
 */
export function completeLowRank(options: LowRank): Required<LowRank> {
  assertOptions("make low-rank directions", options, { rank: "any", keep: "any" });
  const { rank, keep = 50 } = options;
  integerWithin("low-rank directions", "rank", rank, 1, 8);
  integerWithin("low-rank directions", "keep", keep, 1, 0xffffffff);
  return { rank, keep };
}

const lowRankDomain = 0x6c6f7772;

/** Rows that a factor can have: two bits of a quad's number are the column's. */
export const longestRow: number = 2 ** 30;

/**
 * Elements `start`, `start + 1`, ... of a matrix of `width` columns: `v` from the key (second word, domain) and the counter
 * (span, tensor), bit r; `u` from the seed and the counter (row >> 2 | r << 28, tensor), lane row & 3.
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

/** Directions of low rank. The seed's second word names the kept factor: rank - 1 in bits 29-31, the rest its name. */
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
