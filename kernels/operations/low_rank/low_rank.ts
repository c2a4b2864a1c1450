/**
 * A low-rank product added to that of a matrix, as in LoRA.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import { type Operand, type Operation, recordOperation } from "../../device/operation.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { inputSlopes, vectorSlopes, weightSlopes } from "../../matmul/adjoints/product_adjoint.ts";
import { matmul } from "../../matmul/matmul.ts";
import { scaledSlope } from "../adjoints/adjoints.ts";
import type { ForwardContext } from "../context.ts";
import { byBranch } from "../leading/by_branch.ts";
import downSource from "./low_rank_down.wgsl.ts";
import upSource from "./low_rank_up.wgsl.ts";

/** The two factors and the scale of their product. */
export interface LowRankFactors {
  /** A: `[rank][inputs]`, f32. */
  readonly down: DeviceTensor;
  /** B by its columns: `[rank][outputs]`, f32; outputs are a multiple of 4. */
  readonly up: DeviceTensor;
  /** Added to the product with B: `[outputs]`, f32. */
  readonly bias?: DeviceTensor | undefined;
  /** Multiplies the sum of product and bias. */
  readonly scale: number;
}

/** Attributes of {@linkcode lowRankOperation}. */
export interface LowRankAttributes extends LowRankFactors {
  /** Branches, offsets and noise, and the class of the adapter. */
  readonly context: ForwardContext;
  /** Rows per branch. */
  readonly rows: number;
}

/** Inputs: x, then the residual if there is one. Result: `residual + scale * (B (A x) + bias)`. */
export const lowRankOperation: Operation<LowRankAttributes> = {
  name: "low rank",
  record(graph, [x, residual], attributes) {
    const h = recordDown(graph, x, attributes);
    return recordUp(graph, h, residual, attributes);
  },
  // The same shaders, which add the effect of a change of a factor on the first branch.
  tangent: (graph, inputs, attributes) => lowRankOperation.record(graph, inputs, attributes),
  // Computes the products with the factors again, each with its own adjoint. They are cheap compared with that of the full matrix.
  adjoint(graph, [x, residual], _output, slope, attributes, gradients) {
    const { context, down, up, bias, scale, rows } = attributes;
    const own = scaledSlope(graph, slope, scale);
    const h = recordDown(graph, x, attributes);
    const part = (tensor: DeviceTensor) => ({
      weight: tensor,
      rows,
      perturbation: context.perturbation(tensor.name),
      plane: undefined,
      adapterClass: context.adapterClass,
    });
    // B is stored by columns, so its gradient is that of a product whose input is the result's gradient, with A x as the gradient of the product.
    weightSlopes(graph, own, h, part(up), gradients);
    const added = bias && context.perturbation(bias.name);
    const gradient = bias && gradients.of(bias.name);
    if (bias && added && gradient) vectorSlopes(graph, own, bias, rows, added, gradient);
    const ranks = matmul(graph, own, up, { ...context, rows, perturbation: part(up).perturbation });
    weightSlopes(graph, x, ranks, part(down), gradients);
    const input = inputSlopes(graph, ranks, part(down));
    return residual ? [input, slope] : [input];
  },
};

/**
 * Records `y[b, m, n] = residual[b, m, n] + scale * (bias_b[n] + sum_r B_b[n, r] sum_k A_b[r, k] x[b, m, k])`, with the
 * factors and bias of branch `b` (LoRA: Hu et al., arXiv 2106.09685). `x` is `[B][M][inputs]` and the result
 * `[B][M][outputs]`.
 *
 * @example LoRA of rank 4 beside a matrix of 64 x 32
 * ```ts
 * import { batchLayout, DeviceTensor, Graph, lowRank, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const [down, up] = [["lora_a", 64], ["lora_b", 32]].map(([name, columns]) =>
 *   new DeviceTensor(`blk.0.attn_q.weight.${name}`, { kind: "dense", type: "f32" }, 4, Number(columns), 2 ** 27)
 * );
 * const y = lowRank(context, context.graph.value("x", 2 * 4 * 64), { down, up, scale: 2, rows: 4 });
 * assertEquals(y.words, 2 * 4 * 32);
 * ```
 */
export function lowRank(
  context: ForwardContext,
  x: Operand,
  { rows, residual, ...factors }: LowRankFactors & {
    readonly rows: number;
    readonly residual?: Value | Storage | undefined;
  },
): Value {
  const inputs = residual === undefined ? [x] : [x, residual];
  return recordOperation(context.graph, lowRankOperation, inputs, { ...factors, context, rows });
}

/** Rows per invocation: several, so that few loads serve many products, unless there is only one row. */
function rowsAtOnce(rows: number): number {
  return rows === 1 ? 1 : 4;
}

/** Lanes that share the sum of a row on GPUs. */
const LANES = 64;

function recordDown(
  graph: Graph,
  x: Operand,
  { context, down, rows }: LowRankAttributes,
): Value {
  const { branches, adapterClass } = context;
  const rank = down.rows;
  const h = graph.value(`${down.name} product`, rows * branches * rank);
  const { values, differs } = byBranch(down, context);
  const ROWS = rowsAtOnce(rows);
  const PER = [8, 4, 2].find((per) => rank % per === 0) ?? 1;
  const tiles = Math.ceil(rows / ROWS);
  const items = tiles * branches * (rank / PER);
  const isSoftware = adapterClass === "software";
  graph.add({
    label: `low rank ${down.name}`,
    source: downSource,
    key: {
      BY_BRANCH: differs,
      TANGENT: differs && graph.tangents > 0,
      ROWS,
      PER,
      SUMS: ROWS * PER,
      LANES: isSoftware ? 1 : LANES,
      WORKGROUP: isSoftware ? 8 : LANES,
    },
    reads: { 1: values, 2: x },
    writes: { 3: h },
    parameters: [rows, branches, down.columns / 4, rank, tiles, rank / PER],
    work: rows * branches * rank * down.columns,
    workgroups: isSoftware ? Math.ceil(items / 8) : items,
  });
  return h;
}

function recordUp(
  graph: Graph,
  h: Value,
  residual: Operand | undefined,
  { context, up, bias, scale, rows }: LowRankAttributes,
): Value {
  const { branches } = context;
  const y = graph.value(`${up.name} product`, rows * branches * up.columns);
  const { values, differs } = byBranch(up, context);
  const added = bias && byBranch(bias, context);
  const ROWS = rowsAtOnce(rows);
  const tiles = Math.ceil(rows / ROWS);
  const quads = up.columns / 4;
  graph.add({
    label: `low rank ${up.name}`,
    source: upSource,
    key: {
      BY_BRANCH: differs,
      TANGENT: differs && graph.tangents > 0,
      TANGENTS: graph.tangents > 0,
      ROWS,
      RESIDUAL: residual !== undefined,
      BIAS: added ? (added.differs ? "branch" : "all") : "none",
    },
    reads: { 1: values, 2: h, 4: residual, 5: added?.values },
    writes: { 3: y },
    parameters: [rows, branches, quads, up.rows, tiles, { f32: scale }],
    work: rows * branches * up.rows * up.columns,
    workgroups: Math.ceil(tiles * branches * quads / 64),
  });
  return y;
}
