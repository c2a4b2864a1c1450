/**
 * Block-wise ZO-SGD.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { completeBlocks } from "../directions/blocks.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { elementwise } from "../transformations/transformation.ts";

/** Options of {@linkcode blockwiseZo} besides {@linkcode NamedOptions}. */
export const BlockwiseZoOptions = {
  blocks: {
    doc: "what a block is",
    of: ["layer", "part", "tensor"],
    default: "part",
    or: "blocks",
  },
  blockCount: {
    doc: "how many blocks there are: the layers or tensors trained",
    whole: true,
    min: 1,
    max: 16383,
    shown: "2 if a block is a part",
  },
  blockOrder: {
    doc: "which block is trained next",
    of: ["cycle", "random", "all"],
    default: "cycle",
  },
} as const;
/** Arguments of {@linkcode blockwiseZo}. */
export type BlockwiseZoOptions = NamedOptions & OptionsOf<typeof BlockwiseZoOptions>;

/**
 * Block-wise ZO-SGD: each step perturbs and moves a single block, which is a layer, the attention or the MLPs of all layers, or a tensor.
 * Learning rate 1e-6. With the order `"all"`, a step evaluates each block separately, with two forward passes per block and query, and then
 * moves them all. Tensors that belong to no block do not move.
 *
 * Differences from the source: blocks do not share a seed. ZO-Bench implements it for OPT only; its `coordinate_perturbation` corresponds to one
 * block at a time, and without it to the order `"all"`.
 *
 * Source: ZO-Bench (arXiv 2402.11592), block-wise descent.
 *
 * @example A step moves one of two layers
 * ```ts
 * import { blockwiseZo, Session } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const session = new Session({
 *   parameters: [0, 0],
 *   tensors: [{ name: "a", count: 1, layer: 0 }, { name: "b", count: 1, layer: 1 }],
 *   optimiser: blockwiseZo({ blocks: { by: "layer", count: 2 }, distribution: "rademacher" }),
 * });
 * session.tell([1, 2]);
 * assertEquals([...session.offsets].map((w) => w !== 0), [true, false]);
 * ```
 */
export const blockwiseZo: NamedOptimiser<typeof BlockwiseZoOptions> = named({
  name: "blockwiseZo",
  summary: "trains one block after another: a layer, an attention or MLP block, or a tensor",
  source: "arXiv 2402.11592",
  defaults: { learningRate: 1e-6 },
  options: BlockwiseZoOptions,
  make: ({ epsilon, queries, learningRate, blocks: by, blockCount, blockOrder: order }, given) => {
    if (typeof by === "object" && (given.blockCount ?? given.blockOrder) !== undefined) {
      throw new RangeError(
        "Cannot make blockwiseZo: blocks already specify count and order; leave out blockCount and blockOrder",
      );
    }
    const blocks = completeBlocks(typeof by === "object" ? by : { by, count: blockCount, order });
    // The mean is over the directions of all blocks, but the steps of different blocks must be added.
    const count = blocks.order === "all" ? blocks.count : 1;
    return {
      estimator: spsa({ epsilon, queries: queries * count }),
      transformations: [
        ...count > 1
          ? [elementwise("addBlocks", { count }, (o, d) => o.mul(d, o.constant(count)))]
          : [],
        scaleBySchedule(learningRate),
      ],
      blocks,
    };
  },
});
