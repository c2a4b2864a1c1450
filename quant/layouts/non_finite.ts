/**
 * Searches the floats of packed planes for NaN and infinity without unpacking them, with a few operations per word.
 *
 * @module
 */
import type { DenseType, Layout, PackedTensor } from "./layout.ts";
import { emptySuperBlock, readSuperBlock, SUPER_SCALES, type SuperScales } from "./super_scales.ts";

// A float is not finite if all bits of its exponent are set. Adding one to the exponent then carries into the sign bit, which tests both 16-bit
// floats of a word at once.

/** Position of a super-block's f16 factors in bytes, and their number, for packings in which the factors are separate. */
const FACTORS: Partial<Readonly<Record<SuperScales, readonly [offset: number, halves: 1 | 2]>>> = {
  q2_k: [16, 2],
  q3_k: [12, 1],
  q4_k: [0, 2],
  q6_k: [16, 1],
  iq4_xs: [0, 1],
  iq1_s: [16, 1],
};

/**
 * Whether the elements, scales, zero points, minima or codebook entries of a tensor include a NaN or an infinity. For
 * MXFP4: whether an exponent may exceed the range of f32.
 *
 * @example A weight that has overflowed
 * ```ts
 * import { hasNonFinite, quantize } from "@qzo/qzo/quant";
 * import { assert } from "@std/assert";
 *
 * const packed = quantize(new Float32Array([1, 2, 3, 4]), 1, 4, "F32");
 * assert(!hasNonFinite(packed));
 * packed.codes[2] = 0x7f800000; // infinity
 * assert(hasNonFinite(packed));
 * ```
 */
export function hasNonFinite({ layout, codes, scales, codebook }: PackedTensor): boolean {
  switch (layout.kind) {
    case "dense":
      return anyOf(codes, layout.type);
    case "super":
      // Points of a grid are integers.
      return anyFactor(scales, layout);
    case "scalar":
    case "codebook":
    case "column":
      return anyOf(scales, "f16") || anyOf(codebook, "f16");
  }
}

// Separate loops with constants, four words at a time, are twice as fast as one loop for all types, and limited only by memory.

function anyF32(ints: Int32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = ints.length & 3; i < ints.length; i += 4) {
    a |= ((ints[i] & 0x7f800000) + 0x00800000) | 0;
    b |= ((ints[i + 1] & 0x7f800000) + 0x00800000) | 0;
    c |= ((ints[i + 2] & 0x7f800000) + 0x00800000) | 0;
    d |= ((ints[i + 3] & 0x7f800000) + 0x00800000) | 0;
  }
  for (let i = ints.length & 3; i-- > 0;) a |= ((ints[i] & 0x7f800000) + 0x00800000) | 0;
  return (a | b | c | d) < 0;
}

function anyF16(ints: Int32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = ints.length & 3; i < ints.length; i += 4) {
    a |= ((ints[i] & 0x7c007c00) + 0x04000400) | 0;
    b |= ((ints[i + 1] & 0x7c007c00) + 0x04000400) | 0;
    c |= ((ints[i + 2] & 0x7c007c00) + 0x04000400) | 0;
    d |= ((ints[i + 3] & 0x7c007c00) + 0x04000400) | 0;
  }
  for (let i = ints.length & 3; i-- > 0;) a |= ((ints[i] & 0x7c007c00) + 0x04000400) | 0;
  return ((a | b | c | d) & 0x80008000) !== 0;
}

function anyBf16(ints: Int32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = ints.length & 3; i < ints.length; i += 4) {
    a |= ((ints[i] & 0x7f807f80) + 0x00800080) | 0;
    b |= ((ints[i + 1] & 0x7f807f80) + 0x00800080) | 0;
    c |= ((ints[i + 2] & 0x7f807f80) + 0x00800080) | 0;
    d |= ((ints[i + 3] & 0x7f807f80) + 0x00800080) | 0;
  }
  for (let i = ints.length & 3; i-- > 0;) a |= ((ints[i] & 0x7f807f80) + 0x00800080) | 0;
  return ((a | b | c | d) & 0x80008000) !== 0;
}

/** Searches floats; 16-bit ones are two per word. Each function is self-contained, so that its text can run in a worker. */
export const LOOKS: Readonly<Record<DenseType, (ints: Int32Array) => boolean>> = {
  f32: anyF32,
  f16: anyF16,
  bf16: anyBf16,
};

function anyOf(words: Uint32Array<ArrayBuffer>, type: DenseType): boolean {
  return LOOKS[type](new Int32Array(words.buffer, words.byteOffset, words.length));
}

function anyFactor(
  scales: Uint32Array<ArrayBuffer>,
  { scales: packing }: Extract<Layout, { kind: "super" }>,
): boolean {
  const { words, nibbles } = SUPER_SCALES[packing];
  const bytes = new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength);
  // Six times the power of two of these exponents is beyond 32 bits, as far as there are such codes.
  if (words === 0) return bytes.some((exponent) => exponent >= 253);
  const [offset, halves] = (nibbles && [nibbles[1], 1]) ?? FACTORS[packing] ?? [undefined, 1];
  if (offset === undefined) {
    const block = emptySuperBlock(packing);
    for (let at = 0; at < bytes.length; at += 4 * words) {
      readSuperBlock(packing, bytes, at, block);
      if ((block.d & 0x7c00) === 0x7c00) return true;
    }
    return false;
  }
  const shift = 8 * (offset & 2);
  const mask = halves === 2 ? 0x7c007c00 : 0x7c00 << shift;
  const one = halves === 2 ? 0x04000400 : 0x0400 << shift;
  let any = 0;
  for (let i = offset >> 2; i < scales.length; i += words) any |= (scales[i] & mask) + one;
  return (any & (halves === 2 ? 0x80008000 : 0x8000 << shift)) !== 0;
}
