/**
 * Blocks: each step perturbs and moves only some tensors, determined by the step's seed and the position of the tensor in the model.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import { assertOptions } from "../options.ts";
import { layerParts, type Placed } from "../trainable.ts";
import type { Seed } from "./seed.ts";
import type { BlockPlace, Structure } from "./structure.ts";
import { threefry2x32 } from "./threefry.ts";

export type { BlockPlace } from "./structure.ts";

/** The kind of a block: one layer, the attention or the MLPs of all layers, or one tensor. */
export type BlockKind = "layer" | "part" | "tensor";

/** All kinds, in the order of their numbers in a seed. */
export const blockKinds: readonly BlockKind[] = ["layer", "part", "tensor"];

/**
 * The order in which blocks take turns. `"cycle"`: one after another. `"random"`: a random one each time. `"all"`: all of them in every step,
 * one direction each (direction q perturbs block q modulo their number); they move after all have been evaluated.
 */
export type BlockOrder = "cycle" | "random" | "all";

/** All orders. */
export const blockOrders: readonly BlockOrder[] = ["cycle", "random", "all"];

/** Assigns one block of the model to each direction. */
export interface Blocks {
  /** Kind of the blocks. */
  readonly by: BlockKind;
  /** Number of blocks: the number of layers, or of trained tensors. For parts it is 2 and can be omitted. */
  readonly count?: number | undefined;
  /** Order in which blocks take turns. Default `"cycle"`. */
  readonly order?: BlockOrder | undefined;
  /** Number of steps that a block keeps its turn. Default 1. */
  readonly keep?: number;
}

/** Limits that let the parts of a place fit into one word, and into that of a seed. */
const largest = { layer: 1023, part: 3, tensor: 16383 };

/** The last layer that can be distinguished, from 0. Later layers count as this one. */
export const largestLayer: number = largest.layer - 1;

/**
 * Fills in the defaults of blocks.
 *
 * @throws {RangeError} for an unknown kind or order, or counts that are not positive integers.
 */
export function completeBlocks(options: Blocks): Required<Blocks> {
  assertOptions("make blocks", options, { by: "any", count: "any", order: "any", keep: "any" });
  const { by, count, order = "cycle", keep = 1 } = options;
  if (!blockKinds.includes(by)) {
    throw new RangeError(
      `Cannot make blocks: unknown kind ${JSON.stringify(by)}; expected one of ${
        blockKinds.join(", ")
      }`,
    );
  }
  if (!blockOrders.includes(order)) {
    throw new RangeError(
      `Cannot make blocks: unknown order ${JSON.stringify(order)}; expected one of ${
        blockOrders.join(", ")
      }`,
    );
  }
  integerWithin("blocks", "keep", keep, 1, 0xffffffff);
  const given = count ?? (by === "part" ? 2 : NaN);
  integerWithin("blocks", "count", given, 1, by === "part" ? 2 : largest[by]);
  return { by, count: given, order, keep };
}

/**
 * The position of a tensor among the blocks.
 *
 * @param tensor Index among the trained tensors, from 0.
 *
 * @example A matrix of the third layer's attention
 * ```ts
 * import { blockPlace } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(blockPlace({ layer: 2, part: "attention" }, 14), { layer: 3, part: 1, tensor: 14 });
 * assertEquals(blockPlace({}, 20), { layer: 0, part: 0, tensor: 20 });
 * ```
 */
export function blockPlace({ layer, part }: Placed, tensor: number): BlockPlace {
  return {
    layer: layer === undefined ? 0 : Math.min(layer, largestLayer) + 1,
    part: part === undefined ? 0 : layerParts.indexOf(part) + 1,
    tensor,
  };
}

/** A place packed into 31 bits, for a table on the device: 10 bits for the layer, 2 for the part, 19 for the tensor. */
export function packPlace({ layer, part, tensor }: BlockPlace): number {
  return layer | (part << 10) | (tensor << 12);
}

const blockDomain = 0x626c6f63;

/** The number of the block for a direction of a draw. Layers and parts are counted from 1, tensors from 0. */
function activeBlock(
  { by, count, order, keep }: Required<Blocks>,
  master: Seed,
  draw: number,
  direction: number,
): number {
  const turn = Math.floor(draw / keep);
  const which = {
    cycle: () => turn,
    random: () => threefry2x32(master, [turn, blockDomain])[0],
    all: () => direction,
  };
  return which[order]() % count + (by === "tensor" ? 0 : 1);
}

/** Directions in some tensors at a time. The seed's second word identifies the block: its kind in bits 30-31, its number in bits 16-29. */
export const blocks: Structure<Blocks, Required<Blocks>> = {
  name: "blocks",
  complete: completeBlocks,
  assertFits({ order, count }, directions) {
    if (order !== "all" || directions % count === 0) return;
    throw new RangeError(
      `Cannot make an optimiser: ${count} blocks that all move need a multiple of ${count} directions, ` +
        `not ${directions}`,
    );
  },
  word(options, master, draw, direction, word) {
    const kind = blockKinds.indexOf(options.by);
    const block = activeBlock(options, master, draw, direction);
    return ((kind << 30) | (block << 16) | (word & 0xffff)) >>> 0;
  },
  turns({ by, count }) {
    const group = (block: number): number => {
      const at = block - (by === "tensor" ? 0 : 1);
      return at >= 0 && at < count ? at : count;
    };
    return { count, by, of: (place) => group(place[by]), at: (seed) => group(blockOf(seed)) };
  },
  takesPart: inBlock,
  wgsl: {
    turns: {
      functions: `\
// As optim/directions/blocks.ts has it: kind in bits 30-31, number in bits 16-29.
fn in_block(seed: u32, place: u32) -> bool {
  let number = (seed >> 16u) & 0x3fffu;
  switch seed >> 30u {
    case 0u: { return (place & 0x3ffu) == number; }
    case 1u: { return ((place >> 10u) & 3u) == number; }
    default: { return (place >> 12u) == number; }
  }
}`,
      takesPart: "in_block(step.y, section.place)",
    },
  },
};

/** The number of the block in a seed. */
export function blockOf(seed: Seed): number {
  return (seed[1] >>> 16) & 0x3fff;
}

/** Whether a tensor belongs to the block in a seed. */
export function inBlock(seed: Seed, place: BlockPlace): boolean {
  return place[blockKinds[seed[1] >>> 30]] === blockOf(seed);
}
