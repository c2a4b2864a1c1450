/**
 * Blocks: which tensors a step perturbs and moves, a function of the step's seed and the tensor's name.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import type { Seed } from "./seed.ts";
import { threefry2x32 } from "./threefry.ts";

/** What a block is: a layer; the attention of all layers, or their MLPs; a tensor. */
export type BlockKind = "layer" | "part" | "tensor";

/** All kinds, in the order of their numbers in a seed. */
export const blockKinds: readonly BlockKind[] = ["layer", "part", "tensor"];

/**
 * `"cycle"`: one after the other; `"random"`: each time one at random; `"all"`: all in every step, a direction each (direction q looks
 * along block q modulo their number), and all move after all have been looked at.
 */
export type BlockOrder = "cycle" | "random" | "all";

/** All orders. */
export const blockOrders: readonly BlockOrder[] = ["cycle", "random", "all"];

/** One block of the model to a direction. */
export interface Blocks {
  /** What a block is. */
  readonly by: BlockKind;
  /** How many there are: layers, or tensors trained; 2 for parts, where it may be left out. */
  readonly count?: number | undefined;
  /** Which has its turn; `"cycle"` by default. */
  readonly order?: BlockOrder | undefined;
  /** Steps until the next; 1 by default. */
  readonly keep?: number;
}

/** Where a tensor belongs. Layers and parts are counted from 1; 0 is what belongs to none, and is never taken. */
export interface BlockPlace {
  /** Layer, from 1. */
  readonly layer: number;
  /** 1 for attention, 2 for the MLP. */
  readonly part: number;
  /** Position among the trained tensors, from 0. */
  readonly tensor: number;
}

/** Values of a place fit beside each other in a word, and in a seed's. */
const largest = { layer: 1023, part: 3, tensor: 16383 };

/**
 * Blocks with nothing left open.
 *
 * @throws RangeError for an unknown kind or order, or counts that are not integers from 1.
 */
export function completeBlocks({ by, count, order = "cycle", keep = 1 }: Blocks): Required<Blocks> {
  if (!blockKinds.includes(by)) {
    throw new RangeError(
      `Cannot make blocks: unknown kind ${JSON.stringify(by)}, known are ${blockKinds.join(", ")}`,
    );
  }
  if (!blockOrders.includes(order)) {
    throw new RangeError(
      `Cannot make blocks: unknown order ${JSON.stringify(order)}, known are ${
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
 * The place of a tensor, by its name as ledgers have it.
 *
 * @param tensor its position among the trained tensors, from 0.
 *
 * @example A matrix of the third layer's attention
 * ```ts
 * import { blockPlace } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(blockPlace("blk.2.attn_q.weight", 14), { layer: 3, part: 1, tensor: 14 });
 * assertEquals(blockPlace("output.weight", 20), { layer: 0, part: 0, tensor: 20 });
 * ```
 */
export function blockPlace(name: string, tensor: number): BlockPlace {
  const [, layer, part] = /^blk\.(\d{1,4})\.(attn|ffn)?/.exec(name) ?? [];
  return {
    layer: layer === undefined ? 0 : Math.min(Number(layer) + 1, largest.layer),
    part: part === "attn" ? 1 : part === "ffn" ? 2 : 0,
    tensor,
  };
}

/** A place in 31 bits, for a table on the device: 10 of the layer, 2 of the part, 19 of the tensor. */
export function packPlace({ layer, part, tensor }: BlockPlace): number {
  return layer | (part << 10) | (tensor << 12);
}

const blockDomain = 0x626c6f63;

/** The block of a direction of a draw, by its number: layers and parts from 1, tensors from 0. */
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

/** A seed that names its block: kind in bits 30-31 of the second word, number in bits 16-29. */
export function blockSeed(
  blocks: Required<Blocks>,
  master: Seed,
  draw: number,
  direction: number,
  seed: Seed,
): Seed {
  const kind = blockKinds.indexOf(blocks.by);
  const block = activeBlock(blocks, master, draw, direction);
  return [seed[0], ((kind << 30) | (block << 16) | (seed[1] & 0xffff)) >>> 0];
}

/** The number of the block that a seed names. */
export function blockOf(seed: Seed): number {
  return (seed[1] >>> 16) & 0x3fff;
}

/** Whether a tensor is in the block that a seed names. */
export function inBlock(seed: Seed, place: BlockPlace): boolean {
  return place[blockKinds[seed[1] >>> 30]] === blockOf(seed);
}
