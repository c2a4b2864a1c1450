import { emptyPacked, halves, planeBytes, SUPER_SCALES } from "../../quant/mod.ts";
import type { Format, PackedTensor, SuperScales } from "../../quant/mod.ts";
import { randomBytes } from "./random.ts";

/** Bytes of the f16 factors within a super-block's scales. */
const FACTORS: Readonly<Record<SuperScales, readonly number[]>> = {
  q2_k: [16, 18],
  q3_k: [12],
  q4_k: [0, 2],
  q6_k: [16],
  iq4_xs: [0],
  e8m0: [],
};

/** A tensor of random planes with finite scales, as a file could have it: no padding is set, ternary codes are ternary. */
export function randomTensor(
  format: Format,
  rows: number,
  columns: number,
  seed: number,
): PackedTensor {
  const t = emptyPacked(format.layout, rows, columns);
  const { layout } = t;
  for (const plane of [t.codes, t.scales, t.codebook]) {
    planeBytes(plane).set(randomBytes(seed++, plane.length * 4));
  }
  if (layout.kind === "super") {
    finiteFactors(t, layout.scales);
    return t;
  }
  // An exponent of all ones would be infinite or NaN.
  for (const plane of [t.scales, t.codebook]) {
    const h = halves(plane);
    for (let i = 0; i < h.length; i++) h[i] &= 0xbfff;
  }
  if (layout.kind === "dense") {
    if (layout.type === "f32") {
      for (let i = 0; i < t.codes.length; i++) t.codes[i] &= 0xbfffffff;
    } else for (let i = 0; i < t.codes.length; i++) t.codes[i] &= 0xbfffbfff;
  } else if (layout.kind === "scalar" && layout.levels === 3) {
    for (let i = 0; i < t.codes.length; i++) {
      t.codes[i] ^= t.codes[i] & (t.codes[i] >>> 1) & 0x55555555;
    }
  }
  return t;
}

function finiteFactors(t: PackedTensor, packing: SuperScales): void {
  const bytes = planeBytes(t.scales);
  const { words } = SUPER_SCALES[packing];
  if (words === 0) {
    const perRow = t.columns / 32;
    const padded = Math.ceil(perRow / 4) * 4;
    for (let i = 0; i < bytes.length; i++) if (i % padded >= perRow) bytes[i] = 0;
    return;
  }
  for (let at = 0; at < bytes.length; at += 4 * words) {
    for (const factor of FACTORS[packing]) bytes[at + factor + 1] &= 0xbf;
    const padding = { q3_k: 14, q6_k: 18 }[packing as "q3_k" | "q6_k"];
    if (padding !== undefined) bytes.fill(0, at + padding, at + padding + 2);
  }
}
