/**
 * The zeroth-order family by its published names: short compositions of the parts.
 *
 * All use offsets instead of moving parameters in place, and z from a table (a binomial normal of 17 levels, or
 * Rademacher); only further departures are named with each. Learning rates are the middle of the published grids for models of
 * billions of weights where there is one; small models need larger ones.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { type Blocks, completeBlocks } from "../directions/blocks.ts";
import { acceptBest } from "../updates/accept.ts";
import { normaliseByRms } from "../transformations/normalise_by_rms.ts";
import { normaliseBySpread } from "../transformations/normalise_by_spread.ts";
import { type NamedOptions, namedRules } from "./named.ts";
import { onePoint } from "../estimators/one_point.ts";
import { oneSided } from "../estimators/one_sided.ts";
import { type Optimiser, optimiser } from "../optimiser.ts";
import { residualFeedback } from "../transformations/residual_feedback.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { releasedDensity } from "../preparations/sparsity.ts";
import { spsa } from "../estimators/spsa.ts";
import { threePoint } from "../estimators/three_point.ts";
import { elementwise } from "../transformations/transformation.ts";

/**
 * ZO-SGD: two-sided, epsilon 1e-3, learning rate 1e-6; {@linkcode mezo} by the name that ZO-Bench gives it.
 *
 * Departure: with several queries their mean is never stored.
 *
 * Source: Zhang et al., "Revisiting zeroth-order optimization for memory-efficient LLM fine-tuning" (arXiv 2402.11592),
 * `ZO-Bench/ZO-LLM`, `--trainer zo_sgd`.
 *
 * @example Four directions a step
 * ```ts
 * import { zoSgd } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(zoSgd({ queries: 4 }).estimator.branches.length, 8);
 * ```
 */
export function zoSgd(options: NamedOptions = {}): Optimiser {
  assertOptions("make zoSgd", options, namedRules);
  return optimiser({
    ...options,
    name: "zoSgd",
    estimator: spsa(options),
    transformations: [scaleBySchedule(options.learningRate ?? 1e-6)],
  });
}

/**
 * FZOO: eight one-sided Rademacher branches and the base, `sum (L_i - L_0) u_i / (8 std(L))`, learning rate 1e-4 (ours).
 *
 * Departure: none known in the rule; its code shares the products of the branches, which every optimiser here does.
 *
 * Source: FZOO (arXiv 2506.09034).
 *
 * @example Nine forwards, eight directions
 * ```ts
 * import { fzoo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([fzoo().estimator.branches.length, fzoo().moves], [9, 8]);
 * ```
 */
export function fzoo(options: NamedOptions = {}): Optimiser {
  assertOptions("make fzoo", options, namedRules);
  const { epsilon, queries = 8, learningRate = 1e-4 } = options;
  return optimiser({
    ...options,
    name: "fzoo",
    distribution: options.distribution ?? "rademacher",
    estimator: oneSided({ epsilon, queries }),
    transformations: [normaliseBySpread(queries), scaleBySchedule(learningRate)],
  });
}

/** Arguments of {@linkcode meazo}. */
export interface MeazoOptions extends NamedOptions {
  /** Share of the running second moment that a step keeps; 0.99 by default. */
  readonly decay?: number;
}

/**
 * MEAZO: the derivative over the root of its running second moment, one scalar for what Adam keeps per element; learning
 * rate 1e-4.
 *
 * Departures: the moment is corrected for its start, as Adam's is. Decay and learning rate are ours: of the paper only
 * summaries were read. Of several queries the moment here is the mean of the squared derivatives; the paper's is the square of their mean,
 * which is about `queries` times smaller where they differ by chance, so its steps are `sqrt(queries)` as long at the same learning rate.
 *
 * Source: MEAZO (arXiv 2605.03869).
 *
 * @example The unit of the loss does not matter
 * ```ts
 * import { meazo, scalarStep } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = meazo();
 * const step = (unit: number) => scalarStep(rule, [3 * unit, unit], [0], rule.transformation.inputs(0));
 * assertEquals(step(1).coefficients, step(1024).coefficients);
 * ```
 */
export function meazo(options: MeazoOptions = {}): Optimiser {
  assertOptions("make meazo", options, { ...namedRules, decay: "any" });
  const { decay, learningRate = 1e-4 } = options;
  return optimiser({
    ...options,
    name: "meazo",
    estimator: spsa(options),
    transformations: [normaliseByRms({ decay }), scaleBySchedule(learningRate)],
  });
}

/** Arguments of {@linkcode sparseZo}. */
export interface SparseZoOptions extends NamedOptions {
  /** Share of the elements that a step leaves alone, from 0 to below 1; 0.9 by default. */
  readonly sparsity?: number;
  /** Steps until other elements are drawn; 100 by default. */
  readonly resample?: number;
  /** `"tensor"`: whole tensors are left alone, drawn at random; `"element"` by default. */
  readonly unit?: "element" | "tensor";
  /** `"global"`: tensors of large values keep more, see {@linkcode Mask}; `"tensor"` by default. */
  readonly budget?: "tensor" | "global";
  /** Take the share that ZO-Bench's released code leaves alone instead: 0.816 where 0.9 is asked for. */
  readonly asReleased?: boolean;
}

/**
 * Sparse ZO-SGD: a random mask over directions, drawn anew every so many steps; learning rate 1e-6. The mask follows from seed, tensor
 * and element, so that it costs no memory.
 *
 * Departures: the share that is asked for is the share left alone. ZO-Bench's code compares normal numbers with it, which
 * leaves alone its normal distribution function; `asReleased` does so too. Shares by magnitude (its "global") are
 * those of the base, and `asReleased` changes their sum. For elements by magnitude see {@linkcode sparseMezo}.
 *
 * Source: ZO-Bench (arXiv 2402.11592), sparsity-induced perturbation.
 *
 * @example A tenth of the elements is perturbed
 * ```ts
 * import { Session, sparseZo } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const options = { parameters: new Float32Array(40_000), optimiser: sparseZo({ distribution: "rademacher" }) };
 * const [point] = new Session(options).ask();
 * assertAlmostEquals(point.filter((x) => x !== 0).length / 40_000, 0.1, 0.01);
 * ```
 */
export function sparseZo(options: SparseZoOptions = {}): Optimiser {
  assertOptions("make sparseZo", options, {
    ...namedRules,
    sparsity: "any",
    resample: "any",
    unit: "any",
    budget: "any",
    asReleased: "any",
  });
  const { sparsity = 0.9, resample: keep = 100, unit, budget, asReleased = false } = options;
  const density = asReleased ? releasedDensity(sparsity) : 1 - sparsity;
  return optimiser({
    ...options,
    name: "sparseZo",
    estimator: spsa(options),
    transformations: [scaleBySchedule(options.learningRate ?? 1e-6)],
    mask: { density, keep, unit, budget },
  });
}

/**
 * ZO-SGD-Cons: after each estimate the lowest of staying, the step and its opposite, on the same batch; five forwards in two passes.
 * Learning rate 1e-6. {@linkcode threePointDescent} is its like with three forwards in one pass.
 *
 * Departures: the step is plain, as in the paper; ZO-Bench's code steps with AdamW by mistake, so that its three points are not
 * the rule's.
 *
 * Source: ZO-Bench (arXiv 2402.11592), `--trainer zo_conserv`.
 *
 * @example A step that would make it worse is not made
 * ```ts
 * import { minimise, zoSgdConservative } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const optimiser = zoSgdConservative({ learningRate: 10, distribution: "rademacher" });
 * const objective = ([x]: Float32Array) => x * x;
 * for await (const { losses, session } of minimise({ parameters: [1], optimiser, steps: 1, objective })) {
 *   assertEquals([losses.length, losses[2]], [5, 1]);
 *   assertEquals(session.parameters(), new Float32Array([1]));
 * }
 * ```
 */
export function zoSgdConservative(options: Omit<NamedOptions, "queries"> = {}): Optimiser {
  assertOptions("make zoSgdConservative", options, namedRules);
  return optimiser({
    ...options,
    name: "zoSgdConservative",
    estimator: spsa({ epsilon: options.epsilon }),
    transformations: [scaleBySchedule(options.learningRate ?? 1e-6)],
    accept: acceptBest(),
  });
}

/** Arguments of {@linkcode blockwiseZo}. */
export interface BlockwiseZoOptions extends NamedOptions {
  /** What a step perturbs and moves, and in which order; attention and MLP in turn by default. */
  readonly blocks?: Blocks;
}

/**
 * Block-wise ZO-SGD: each step looks and moves in one block alone, a layer, the attention or the MLP of all layers, or a tensor;
 * learning rate 1e-6. With the order `"all"` a step looks along each block by itself, two forwards a block and query, and then
 * moves them all. What belongs to no block stays.
 *
 * Departures: blocks do not share a seed. ZO-Bench has it for OPT alone; its `coordinate_perturbation` is one block at once here,
 * and its absence the order `"all"`.
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
 *   tensors: [{ name: "blk.0.attn_q.weight", count: 1 }, { name: "blk.1.attn_q.weight", count: 1 }],
 *   optimiser: blockwiseZo({ blocks: { by: "layer", count: 2 }, distribution: "rademacher" }),
 * });
 * session.tell([1, 2]);
 * assertEquals([...session.offsets].map((w) => w !== 0), [true, false]);
 * ```
 */
export function blockwiseZo(options: BlockwiseZoOptions = {}): Optimiser {
  assertOptions("make blockwiseZo", options, { ...namedRules, blocks: "any" });
  const { epsilon, queries = 1, learningRate = 1e-6 } = options;
  const blocks = completeBlocks(options.blocks ?? { by: "part" });
  // Directions of all blocks are averaged; those of different blocks are to be added.
  const count = blocks.order === "all" ? blocks.count : 1;
  return optimiser({
    ...options,
    name: "blockwiseZo",
    estimator: spsa({ epsilon, queries: queries * count }),
    transformations: [
      ...count > 1
        ? [elementwise("addBlocks", { count }, (o, d) => o.mul(d, o.constant(count)))]
        : [],
      scaleBySchedule(learningRate),
    ],
    blocks,
  });
}

/**
 * One forward a step: the loss at a perturbed point against the last step's. Learning rate 1e-7.
 *
 * Source: residual feedback (arXiv 2006.10820); MeZO (arXiv 2305.17333, appendix B.5) found it worse at equal forwards.
 *
 * @example One branch
 * ```ts
 * import { zoResidual } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(zoResidual().estimator.branches.length, 1);
 * ```
 */
export function zoResidual(options: NamedOptions = {}): Optimiser {
  assertOptions("make zoResidual", options, namedRules);
  return optimiser({
    ...options,
    name: "zoResidual",
    estimator: onePoint(options),
    transformations: [residualFeedback(), scaleBySchedule(options.learningRate ?? 1e-7)],
  });
}

/**
 * Stay, forward or back by epsilon, 1e-3, whichever loss is lowest: never moves to a point that it saw to be worse. A schedule
 * (1 by default) shortens the step. One direction a step.
 *
 * Source: the stochastic three-point method (arXiv 1902.03591).
 *
 * @example The middle is lowest: stay
 * ```ts
 * import { scalarStep, threePointDescent } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = threePointDescent();
 * assertEquals(scalarStep(rule, [1, 2, 3], [], rule.transformation.inputs(0)).coefficients, [0]);
 * ```
 */
export function threePointDescent(options: Omit<NamedOptions, "queries"> = {}): Optimiser {
  assertOptions("make threePointDescent", options, namedRules);
  return optimiser({
    ...options,
    name: "threePointDescent",
    estimator: threePoint(options),
    transformations: [scaleBySchedule(options.learningRate ?? 1)],
  });
}
