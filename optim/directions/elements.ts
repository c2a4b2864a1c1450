/**
 * Elements of directions without a structure: Threefry, four elements per call.
 *
 * @module
 */
import { countHalves, type Distribution, laneOf, level } from "./law.ts";
import type { Seed } from "./seed.ts";
import { threefry2x32 } from "./threefry.ts";

/** Fills `out` with the elements `start`, `start + 1`, ... of a direction without a structure. */
export function fillElements(
  dense: Distribution,
  seed: Seed,
  tensorId: number,
  start: number,
  out: Float32Array,
): void {
  const elementAt = (index: number) =>
    level(dense, laneOf(threefry2x32(seed, [index >>> 2, tensorId]), index));
  let at = 0;
  while (at < out.length && ((start + at) & 3) !== 0) {
    out[at] = elementAt(start + at);
    at++;
  }
  const whole = (out.length - at) & ~3;
  fillQuads(
    dense === "normal",
    seed,
    tensorId,
    (start + at) / 4,
    out.subarray(at, at + whole),
  );
  for (at += whole; at < out.length; at++) out[at] = elementAt(start + at);
}

/** Threefry with unrolled rounds, four elements per call: the only hot loop of a replay on the host. */
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
