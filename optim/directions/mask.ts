/**
 * Masks: sparse directions, most elements of z are zero.
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

/** A sparse direction: most elements of z are zero. */
export interface Mask {
  /** Share of the elements (or tensors) that stay, above 0 to 1, taken to the nearest 65536th. */
  readonly density: number;
  /** Steps until another mask is drawn; 1 by default. */
  readonly keep?: number;
  /** What is taken or left out as a whole; single elements by default. */
  readonly unit?: MaskUnit | undefined;
  /**
   * `"tensor"`, the default: every tensor keeps that share. `"global"`: tensors differ, each keeps the share of its elements that are among
   * the largest of all base values, of which `density` is kept; which elements these are is random all the same.
   */
  readonly budget?: "tensor" | "global" | undefined;
}

/** A mask with nothing left open; its budget is there if it is global. */
export type CompleteMask = Required<Omit<Mask, "budget">> & { readonly budget?: "global" };

/** `"element"`: each offset by itself; `"tensor"`: all offsets of a tensor together. */
export type MaskUnit = "element" | "tensor";

/** All units. */
export const maskUnits: readonly MaskUnit[] = ["element", "tensor"];

/**
 * A mask with nothing left open, its density a whole number of 65536ths.
 *
 * @throws RangeError when the density leaves no element or is above 1, or steps to keep it are not an integer from 1.
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

/** Counters of masks keep clear of those of steps, whose second word has its top bit set. */
const maskDomain = 0x6d61736b;

/** The second key word of masks. */
const maskKey = 0x7370617e;

/** The mask of four elements as two words of two lanes, each to compare with the lanes that stay. */
function maskWords(word: number, tensorId: number, quad: number): [number, number] {
  if ((word & 0x8000) === 0) return threefry2x32([word, maskKey], [quad, tensorId]);
  // One draw for the whole tensor, beyond the quads of any.
  const [draw] = threefry2x32([word, maskKey], [0xffffffff, tensorId]);
  const lane = draw & 0xffff;
  const both = (lane | (lane << 16)) >>> 0;
  return [both, both];
}

/** Zeroes what the seed's mask leaves out of the elements `start`, `start + 1`, ... */
function maskElements(
  [, word]: Seed,
  tensorId: number,
  start: number,
  out: Float32Array,
  { share }: NoisePlace,
): void {
  // Lanes, from 0, that stay.
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
 * Sparse directions. Bits 16-31 of the seed's second word are the highest 16-bit lane that stays, bit 15 is set for whole tensors, the rest
 * names the mask.
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
