import { emptyPacked, halves, planeBytes } from "../../quant/layouts/planes.ts";
import { SUPER_SCALES } from "../../quant/layouts/super_scales.ts";
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
  iq2_xxs: [4],
  iq2_xs: [12],
  iq2_s: [16],
  iq3_xxs: [4],
  iq3_s: [12],
  iq1_s: [16],
  // The top quarter of the factor lies in the last byte.
  iq1_m: [22],
};

const PADDING: Readonly<Partial<Record<SuperScales, number>>> = {
  q3_k: 14,
  q6_k: 18,
  iq2_xxs: 6,
  iq2_xs: 14,
  iq2_s: 18,
  iq3_xxs: 6,
  iq3_s: 14,
  iq1_s: 18,
};

/** Negative columns in even number among 8, where a file has no bit for the eighth sign. */
function evenSigns(t: PackedTensor, bits: number): void {
  for (let word = bits - 1; word < t.codes.length; word += bits) {
    for (let byte = 0; byte < 4; byte++) {
      const ones = (t.codes[word] >>> (8 * byte) & 127).toString(2).replaceAll("0", "").length;
      t.codes[word] = t.codes[word] & ~(128 << (8 * byte)) | ones % 2 << (8 * byte + 7);
    }
  }
}

/** A tensor of random planes with finite scales, as a file could have it: no padding is set, ternary codes are ternary. */
export function randomTensor(
  format: Format,
  rows: number,
  columns: number,
  seed: number,
): PackedTensor {
  const t = emptyPacked(format.layout, rows, columns);
  const { layout } = t;
  // The points of a grid are what they are.
  const planes = layout.kind === "super" ? [t.codes, t.scales] : [t.codes, t.scales, t.codebook];
  for (const plane of planes) {
    planeBytes(plane).set(randomBytes(seed++, plane.length * 4));
  }
  if (layout.kind === "super") {
    finiteFactors(t, layout.scales);
    if (["iq2_xxs", "iq2_xs", "iq3_xxs"].includes(layout.scales)) evenSigns(t, layout.bits);
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
    const padding = PADDING[packing];
    if (padding !== undefined) bytes.fill(0, at + padding, at + padding + 2);
  }
}
