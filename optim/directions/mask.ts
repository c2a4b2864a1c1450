/**
 * Masks: sparse directions, in which most elements of z are zero.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import { assertOptions } from "../options.ts";
import { fillElements } from "./elements.ts";
import type { Seed } from "./seed.ts";
import type { NoisePlace } from "../trainable.ts";
import type { Structure } from "./structure.ts";
import { threefry2x32 } from "./threefry.ts";

/** Sparse directions, in which most elements of z are zero. */
export interface Mask {
  /** Fraction of the elements (or tensors) that are kept, greater than 0 and at most 1, rounded to a multiple of 1/65536. */
  readonly density: number;
  /** Number of steps before another mask is drawn. Default 1. */
  readonly keep?: number;
  /** Whether elements or whole tensors are kept or dropped. Default: elements. */
  readonly unit?: MaskUnit | undefined;
  /**
   * `"tensor"`: the fraction is the same in every tensor. `"global"`: the fraction of a tensor is that of its elements which are among the
   * largest base values of the whole model, `density` of which are kept. Which elements are kept is random in both cases. Default `"tensor"`.
   */
  readonly budget?: "tensor" | "global" | undefined;
}

/** A mask with defaults filled in. `budget` is present only if it is global. */
export type CompleteMask = Required<Omit<Mask, "budget">> & { readonly budget?: "global" };

/** `"element"`: each offset is kept or dropped separately. `"tensor"`: all offsets of a tensor together. */
export type MaskUnit = "element" | "tensor";

/** All units. */
export const maskUnits: readonly MaskUnit[] = ["element", "tensor"];

/**
 * Fills in the defaults of a mask, and rounds its density to a multiple of 1/65536.
 *
 * @throws {RangeError} when the density keeps no element or exceeds 1, or `keep` is not a positive integer.
 */
export function completeMask(options: Mask): CompleteMask {
  assertOptions("make a mask", options, {
    density: "any",
    keep: "any",
    unit: "any",
    budget: "any",
  });
  const { density, keep = 1, unit = "element", budget = "tensor" } = options;
  const parts = Math.round(density * 65536);
  if (!(parts >= 1 && parts <= 65536)) {
    throw new RangeError(
      `Cannot make a mask: density must be between 1/65536 and 1, not ${density}`,
    );
  }
  integerWithin("a mask", "keep", keep, 1, 0xffffffff);
  if (!maskUnits.includes(unit)) {
    throw new RangeError(
      `Cannot make a mask: unknown unit ${JSON.stringify(unit)}; expected one of ${
        maskUnits.join(", ")
      }`,
    );
  }
  if (budget !== "tensor" && budget !== "global") {
    throw new RangeError(
      `Cannot make a mask: unknown budget ${
        JSON.stringify(budget)
      }; expected one of tensor, global`,
    );
  }
  return {
    density: parts / 65536,
    keep,
    unit: unit ?? "element",
    ...(budget === "global" ? { budget } : {}),
  };
}

/** Counters of masks differ from those of steps, which have the top bit of their second word set. */
const maskDomain = 0x6d61736b;

/** The second key word of masks. */
const maskKey = 0x7370617e;

/** The mask of four elements as two words with two lanes each. A lane is compared with the highest lane that is kept. */
function maskWords(word: number, tensorId: number, quad: number): [number, number] {
  if ((word & 0x8000) === 0) return threefry2x32([word, maskKey], [quad, tensorId]);
  // One draw for the whole tensor, with a counter beyond the quads of any tensor.
  const [draw] = threefry2x32([word, maskKey], [0xffffffff, tensorId]);
  const lane = draw & 0xffff;
  const both = (lane | (lane << 16)) >>> 0;
  return [both, both];
}

/** Zeroes the elements `start`, `start + 1`, ... that the seed's mask drops. */
function maskElements(
  [, word]: Seed,
  tensorId: number,
  start: number,
  out: Float32Array,
  { share }: NoisePlace,
): void {
  // Lanes below this are kept.
  const kept = share ?? (word >>> 16) + 1;
  for (let at = 0; at < out.length;) {
    const [a, b] = maskWords(word, tensorId, Math.floor((start + at) / 4));
    do {
      const half = (start + at) & 2 ? b : a;
      const lane = (start + at) & 1 ? half >>> 16 : half & 0xffff;
      if (lane >= kept) out[at] = 0;
      at++;
    } while (at < out.length && ((start + at) & 3) !== 0);
  }
}

/**
 * Sparse directions. Bits 16-31 of the seed's second word are the highest 16-bit lane that is kept, bit 15 is set for whole tensors, and the
 * rest identifies the mask.
 */
export const mask: Structure<Mask, CompleteMask> = {
  name: "mask",
  complete: completeMask,
  word({ density, keep, unit }, master, draw) {
    const [word] = threefry2x32(master, [Math.floor(draw / keep), maskDomain]);
    const highest = Math.round(density * 65536) - 1;
    return ((highest << 16) | (unit === "tensor" ? 0x8000 : 0) | (word & 0x7fff)) >>> 0;
  },
  fill(dense, seed, tensorId, start, out, place) {
    fillElements(dense, seed, tensorId, start, out);
    maskElements(seed, tensorId, start, out, place);
  },
  wgsl: {
    functions: `\
// Which of four elements a mask leaves: the seed's second word says up to which 16-bit lane (bits 16-31), whether tensors stay
// or go as a whole (bit 15), and names the mask. Where tensors differ, \`share\` is 1 more than the lanes that stay.
fn mask4(word: u32, tensor: u32, share: u32, quad: u32) -> vec4<bool> {
  let whole = (word & 0x8000u) != 0u;
  let lanes = lanes4(threefry(vec2<u32>(word, 0x7370617eu), vec2<u32>(select(quad, 0xffffffffu, whole), tensor)));
  return select(lanes, lanes.xxxx, whole) < vec4<u32>(select((word >> 16u) + 1u, share - 1u, share != 0u));
}`,
    z: `\
  let z = level4(lanes4(threefry(seed, vec2<u32>(quad, tensor)))) * gain;
  return select(vec4<f32>(), z, mask4(seed.y, tensor, traits & 0x1ffffu, quad));`,
  },
};
