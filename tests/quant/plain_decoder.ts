// Decoders of file bytes, written from the format descriptions alone: no code shared with quant/ but the points of grids.

import type { Grid } from "../../quant/mod.ts";
import { gridPlane, GRIDS } from "../../quant/layouts/grids.ts";

function half(view: DataView, at: number): number {
  const bits = view.getUint16(at, true);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const IQ4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** Bits `low` to `low + width - 1` of a byte. */
function field(view: DataView, at: number, low: number, width: number): number {
  return Math.floor(view.getUint8(at) / 2 ** low) % 2 ** width;
}

/** The scale and minimum of group j of Q4_K and Q5_K, from the 12 bytes at 4. */
function sixBits(view: DataView, j: number): [number, number] {
  if (j < 4) return [field(view, 4 + j, 0, 6), field(view, 8 + j, 0, 6)];
  return [
    field(view, 8 + j, 0, 4) + 16 * field(view, j, 6, 2),
    field(view, 8 + j, 4, 4) + 16 * field(view, 4 + j, 6, 2),
  ];
}

/** Element by element, as ggml's dequantize_row functions index them. */
const SUPER_BLOCKS: Record<
  string,
  { size: number; elements?: number; weight: (view: DataView, e: number) => number }
> = {
  Q2_K: {
    size: 84,
    weight: (view, e) => {
      const g = Math.floor(e / 16);
      const q = field(
        view,
        16 + 32 * Math.floor(e / 128) + e % 32,
        2 * (Math.floor(e / 32) % 4),
        2,
      );
      return half(view, 80) * field(view, g, 0, 4) * q - half(view, 82) * field(view, g, 4, 4);
    },
  },
  Q3_K: {
    size: 110,
    weight: (view, e) => {
      const g = Math.floor(e / 16);
      const low = field(
        view,
        32 + 32 * Math.floor(e / 128) + e % 32,
        2 * (Math.floor(e / 32) % 4),
        2,
      );
      const high = field(view, e % 32, Math.floor(e / 32), 1);
      const scale = field(view, 96 + g % 8, g < 8 ? 0 : 4, 4) +
        16 * field(view, 104 + g % 4, 2 * Math.floor(g / 4), 2);
      return half(view, 108) * (scale - 32) * (low - (high ? 0 : 4));
    },
  },
  Q4_K: {
    size: 144,
    weight: (view, e) => {
      const [scale, min] = sixBits(view, Math.floor(e / 32));
      const q = field(view, 16 + 32 * Math.floor(e / 64) + e % 32, e % 64 < 32 ? 0 : 4, 4);
      return half(view, 0) * scale * q - half(view, 2) * min;
    },
  },
  Q5_K: {
    size: 176,
    weight: (view, e) => {
      const [scale, min] = sixBits(view, Math.floor(e / 32));
      const q = field(view, 48 + 32 * Math.floor(e / 64) + e % 32, e % 64 < 32 ? 0 : 4, 4) +
        16 * field(view, 16 + e % 32, Math.floor(e / 32), 1);
      return half(view, 0) * scale * q - half(view, 2) * min;
    },
  },
  Q6_K: {
    size: 210,
    weight: (view, e) => {
      const [n, quarter] = [Math.floor(e / 128), Math.floor(e / 32) % 4];
      const low = field(view, 64 * n + 32 * (quarter % 2) + e % 32, quarter < 2 ? 0 : 4, 4);
      const q = low + 16 * field(view, 128 + 32 * n + e % 32, 2 * quarter, 2) - 32;
      return half(view, 208) * view.getInt8(192 + Math.floor(e / 16)) * q;
    },
  },
  IQ4_XS: {
    size: 136,
    weight: (view, e) => {
      const b = Math.floor(e / 32);
      const scale = field(view, 4 + Math.floor(b / 2), 4 * (b % 2), 4) +
        16 * (Math.floor(view.getUint16(2, true) / 4 ** b) % 4);
      const q = field(view, 8 + 16 * b + e % 16, e % 32 < 16 ? 0 : 4, 4);
      return half(view, 0) * (scale - 32) * IQ4[q];
    },
  },
  MXFP4: {
    size: 17,
    elements: 32,
    weight: (view, e) => {
      const q = field(view, 1 + e % 16, e < 16 ? 0 : 4, 4);
      const magnitude = [0, 1, 2, 3, 4, 6, 8, 12][q % 8];
      return 2 ** (view.getUint8(0) - 128) * (q < 8 ? magnitude : 0 - magnitude);
    },
  },
  TQ1_0: {
    size: 54,
    weight: (view, e) => {
      const [at, n] = e < 160
        ? [e % 32, Math.floor(e / 32)]
        : e < 240
        ? [32 + (e - 160) % 16, Math.floor((e - 160) / 16)]
        : [48 + (e - 240) % 4, Math.floor((e - 240) / 4)];
      const q = view.getUint8(at) * 3 ** n % 256;
      return half(view, 52) * (Math.floor(q * 3 / 256) - 1);
    },
  },
  TQ2_0: {
    size: 66,
    weight: (view, e) => {
      const q = field(view, 32 * Math.floor(e / 128) + e % 32, 2 * (Math.floor(e / 32) % 4), 2);
      return half(view, 64) * (q - 1);
    },
  },
};

const POINTS = Object.fromEntries(
  (Object.keys(GRIDS) as Grid[]).map((grid) => [grid, gridPlane(grid)]),
) as Record<Grid, Uint32Array>;

/** The f32 that a point of a grid has in one column, in the units of ggml's tables. */
function gridValue(
  grid: Grid,
  levels: readonly number[],
  width: number,
  code: number,
  k: number,
): number {
  const bits = width === 8 ? 2 : 3;
  const half = POINTS[grid][Math.floor(code / 2)] / 2 ** (16 * (code % 2)) % 2 ** 16;
  return levels[Math.floor(half / 2 ** (bits * k)) % 2 ** bits];
}

/** The sign of a column: 8 bits, or 7 of which the eighth follows. */
function signOf(bits: number, k: number): number {
  const ones = Array.from({ length: 7 }, (_, i) => Math.floor(bits / 2 ** i) % 2);
  if (k === 7 && bits < 128) return ones.reduce((sum, bit) => sum + bit) % 2 ? -1 : 1;
  return Math.floor(bits / 2 ** k) % 2 ? -1 : 1;
}

const IQ2 = [8, 25, 43];
const IQ3 = [4, 12, 20, 28, 36, 44, 52, 62];

Object.assign(SUPER_BLOCKS, {
  IQ2_XXS: {
    size: 66,
    weight: (view: DataView, e: number) => {
      const [b, l] = [Math.floor(e / 32), Math.floor(e / 8) % 4];
      const word = view.getUint32(6 + 8 * b, true);
      const scale = half(view, 0) * (0.5 + Math.floor(word / 2 ** 28)) / 4;
      const point = gridValue("iq2_xxs", IQ2, 8, view.getUint8(2 + 8 * b + l), e % 8);
      return scale * point * signOf(Math.floor(word / 2 ** (7 * l)) % 128, e % 8);
    },
  },
  IQ2_XS: {
    size: 74,
    weight: (view: DataView, e: number) => {
      const code = view.getUint16(2 + 2 * Math.floor(e / 8), true);
      const nibble = field(view, 66 + Math.floor(e / 32), e % 32 < 16 ? 0 : 4, 4);
      return half(view, 0) * (0.5 + nibble) / 4 *
        gridValue("iq2_xs", IQ2, 8, code % 512, e % 8) * signOf(Math.floor(code / 512), e % 8);
    },
  },
  IQ2_S: {
    size: 82,
    weight: (view: DataView, e: number) => {
      const [b, v] = [Math.floor(e / 32), Math.floor(e / 8)];
      const code = view.getUint8(2 + v) + 256 * field(view, 66 + b, 2 * (v % 4), 2);
      const nibble = field(view, 74 + b, e % 32 < 16 ? 0 : 4, 4);
      const sign = field(view, 34 + v, e % 8, 1) ? -1 : 1;
      return half(view, 0) * (0.5 + nibble) / 4 * gridValue("iq2_s", IQ2, 8, code, e % 8) * sign;
    },
  },
  IQ3_XXS: {
    size: 98,
    weight: (view: DataView, e: number) => {
      const word = view.getUint32(66 + 4 * Math.floor(e / 32), true);
      const point = gridValue("iq3_xxs", IQ3, 4, view.getUint8(2 + Math.floor(e / 4)), e % 4);
      const signs = Math.floor(word / 2 ** (7 * (Math.floor(e / 8) % 4))) % 128;
      return half(view, 0) * (0.5 + Math.floor(word / 2 ** 28)) / 2 * point * signOf(signs, e % 8);
    },
  },
  IQ3_S: {
    size: 110,
    weight: (view: DataView, e: number) => {
      const [b, v] = [Math.floor(e / 32), Math.floor(e / 4)];
      const code = view.getUint8(2 + v) + 256 * field(view, 66 + b, v % 8, 1);
      const nibble = field(view, 106 + Math.floor(b / 2), 4 * (b % 2), 4);
      const sign = field(view, 74 + Math.floor(e / 8), e % 8, 1) ? -1 : 1;
      const point = gridValue("iq3_s", [1, 3, 5, 7, 9, 11, 13, 15], 4, code, e % 4);
      return half(view, 0) * (1 + 2 * nibble) * point * sign;
    },
  },
  IQ1_M: {
    size: 56,
    weight: (view: DataView, e: number) => {
      const [v, b] = [Math.floor(e / 8), Math.floor(e / 32)];
      const quarter = (i: number) => field(view, 49 + 2 * i, 4, 4);
      const factor = new DataView(new ArrayBuffer(2));
      factor.setUint16(0, [0, 1, 2, 3].reduce((sum, i) => sum + quarter(i) * 16 ** i, 0), true);
      const triples = view.getUint16(48 + 2 * Math.floor(b / 2), true);
      const triple = Math.floor(triples / 8 ** (2 * (b % 2) + (e % 32 < 16 ? 0 : 1))) % 8;
      const upper = field(view, 32 + Math.floor(v / 2), 4 * (v % 2), 4);
      const code = view.getUint8(v) + 256 * (upper % 8);
      const point = gridValue("iq1_m", [-1, 0, 1], 8, code, e % 8);
      return half(factor, 0) * (2 * triple + 1) * (point + (upper < 8 ? 0.125 : -0.125));
    },
  },
  IQ1_S: {
    size: 50,
    weight: (view: DataView, e: number) => {
      const [b, l] = [Math.floor(e / 32), Math.floor(e / 8) % 4];
      const upper = view.getUint16(34 + 2 * b, true);
      const code = view.getUint8(2 + 4 * b + l) + 256 * (Math.floor(upper / 8 ** l) % 8);
      const scale = half(view, 0) * (2 * (Math.floor(upper / 4096) % 8) + 1);
      const delta = upper < 32768 ? 0.125 : -0.125;
      return scale * (gridValue("iq1_s", [-1, 0, 1], 8, code, e % 8) + delta);
    },
  },
});

/** Values of GGUF bytes, one block after the other. */
export function decodeGgufBytes(type: string, bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: number[] = [];
  switch (type) {
    case "F32":
      for (let at = 0; at < bytes.length; at += 4) values.push(view.getFloat32(at, true));
      return values;
    case "F16":
      for (let at = 0; at < bytes.length; at += 2) values.push(half(view, at));
      return values;
    case "BF16":
      for (let at = 0; at < bytes.length; at += 2) {
        const wide = new DataView(new ArrayBuffer(4));
        wide.setUint16(2, view.getUint16(at, true), true);
        values.push(wide.getFloat32(0, true));
      }
      return values;
    case "Q4_0":
    case "Q4_1": {
      const minimum = type === "Q4_1";
      const size = minimum ? 20 : 18;
      for (let at = 0; at < bytes.length; at += size) {
        const d = half(view, at);
        const codes = bytes.subarray(at + size - 16, at + size);
        for (let j = 0; j < 32; j++) {
          const q = j < 16 ? codes[j] % 16 : Math.floor(codes[j - 16] / 16);
          values.push(minimum ? d * q + half(view, at + 2) : d * (q - 8));
        }
      }
      return values;
    }
    case "Q5_0":
    case "Q5_1": {
      const size = type === "Q5_1" ? 24 : 22;
      for (let at = 0; at < bytes.length; at += size) {
        const d = half(view, at);
        const tops = view.getUint32(at + size - 20, true);
        for (let j = 0; j < 32; j++) {
          const byte = bytes[at + size - 16 + j % 16];
          const q = (j < 16 ? byte % 16 : Math.floor(byte / 16)) +
            16 * (Math.floor(tops / 2 ** j) % 2);
          values.push(type === "Q5_1" ? d * q + half(view, at + 2) : d * (q - 16));
        }
      }
      return values;
    }
    case "IQ4_NL":
      for (let at = 0; at < bytes.length; at += 18) {
        for (let j = 0; j < 32; j++) {
          const byte = bytes[at + 2 + j % 16];
          values.push(half(view, at) * IQ4[j < 16 ? byte % 16 : Math.floor(byte / 16)]);
        }
      }
      return values;
    case "Q8_0":
      for (let at = 0; at < bytes.length; at += 34) {
        for (let j = 0; j < 32; j++) values.push(half(view, at) * view.getInt8(at + 2 + j));
      }
      return values;
  }
  const superBlock = SUPER_BLOCKS[type];
  if (superBlock) {
    const { size, weight, elements = 256 } = superBlock;
    for (let at = 0; at < bytes.length; at += size) {
      const block = new DataView(bytes.buffer, bytes.byteOffset + at, size);
      for (let e = 0; e < elements; e++) values.push(weight(block, e));
    }
    return values;
  }
  throw new RangeError(`no plain decoder for ${type}`);
}

/** The code of one column from the words of `PackedTensor.codes`, by the words of its documentation. */
export function codeFromWords(
  words: Uint32Array,
  bits: number,
  columns: number,
  row: number,
  column: number,
): number {
  const first = (row * (columns / 32) + Math.floor(column / 32)) * bits;
  const quad = Math.floor((column % 32) / 4);
  const byte = column % 4;
  const field = (word: number, at: number, width: number): number =>
    Math.floor(words[word] / 2 ** (8 * byte + at)) % 2 ** width;
  if (bits === 3 || bits === 5) {
    const low = bits - 1;
    return field(first + (quad % low), low * Math.floor(quad / low), low) +
      2 ** low * field(first + low, quad, 1);
  }
  if (bits === 6) {
    return field(first + (quad % 4), 4 * Math.floor(quad / 4), 4) +
      16 * field(first + 4 + (quad % 2), 2 * Math.floor(quad / 2), 2);
  }
  return field(first + (quad % bits), bits * Math.floor(quad / bits), bits);
}
