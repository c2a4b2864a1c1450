/**
 * Quantised and dense matrix products of all branches in one dispatch, with the noise fused into the reading of scales.
 *
 * @module
 */

import { type Operand, type Operation, recordOperation } from "../device/operation.ts";
import type { Graph, Range, Value } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import { type Perturbation, withoutNoise } from "../offsets/perturbation.ts";
import { inputSlopes, vectorSlopes, weightSlopes } from "./adjoints/product_adjoint.ts";
import { addMinimaTangents } from "./minima_tangents.ts";
import { perturbedPlanes, withTangents } from "./perturbed_plane.ts";
import { fusedTile, type MatmulOptions, type ProductOptions, recordProduct } from "./product.ts";

/** Attributes of {@linkcode matmulOperation}: the weights and the {@linkcode MatmulOptions}. */
export interface MatmulAttributes extends MatmulOptions {
  /** Weights `[N][K]`, packed or dense. */
  readonly weight: DeviceTensor;
}

/** Inputs: x, then the bias by branch and the residual, if present. Result: the product. */
export const matmulOperation: Operation<MatmulAttributes> = {
  name: "matmul",
  record(graph, [x], { weight, ...options }) {
    const y = product(graph, weight, options);
    const { plane, branches } = options;
    const planes = plane && perturbedPlanes(graph, weight, plane, branches);
    recordProduct(graph, x, weight, { ...options, y, planes });
    return y;
  },
  // `W x'` of every branch, then `W' x` added to the branches that are tangents, with the first branch's x.
  tangent(graph, [x], { weight, ...options }) {
    const y = product(graph, weight, options);
    const { perturbation, plane, bias } = options;
    const still = {
      ...options,
      perturbation: perturbation && withoutNoise(perturbation),
      plane: plane && withoutNoise(plane),
    };
    const planes = still.plane && perturbedPlanes(graph, weight, still.plane, options.branches);
    const whole = {
      ...still,
      bias: bias && withTangents(graph, bias, weight.rows, options.branches),
      y,
      planes,
    };
    const tile = perturbation?.noise && fusedTile(weight, options);
    if (tile) {
      const directions = options.branches - 1;
      recordProduct(graph, x, weight, {
        ...{ ...whole, perturbation, tile, branches: directions },
        fused: true,
      });
    } else recordProduct(graph, x, weight, whole);
    const moves = {
      ...still,
      branches: options.branches - 1,
      bias: undefined,
      residual: undefined,
      y,
      adds: true,
    };
    if (perturbation?.noise && !tile) {
      const along = { ...perturbation, tangent: true };
      recordProduct(graph, x, weight, { ...moves, perturbation: along, planes });
    }
    if (plane?.noise) addPlaneTangents(graph, x, weight, { ...moves, moved: plane });
    return y;
  },
  adjoint(graph, inputs, _output, slope, attributes, gradients) {
    const [x] = inputs;
    const { weight, rows, bias, residual, biasOf } = attributes;
    const { perturbation, plane, adapterClass } = attributes;
    const product = { weight, rows, perturbation, plane, adapterClass };
    weightSlopes(graph, x, slope, product, gradients);
    const gradient = biasOf && gradients.of(biasOf.tensor.name);
    if (biasOf && gradient) {
      vectorSlopes(graph, slope, biasOf.tensor, rows, biasOf.perturbation, gradient);
    }
    return [
      inputSlopes(graph, slope, product),
      ...(bias ? [undefined] : []),
      ...(residual ? [slope] : []),
    ];
  },
};

/** The result of a product, `[B][M][N]`. */
function product(graph: Graph, weight: DeviceTensor, { rows, branches }: MatmulOptions): Value {
  return graph.value(`${weight.name} product`, rows * branches * weight.rows);
}

/**
 * Adds to the tangents the effect of changes of a tensor's codebooks, or of its minima or zero points, on the first
 * branch's x.
 */
function addPlaneTangents(
  graph: Graph,
  x: Operand,
  weight: DeviceTensor,
  { moved, ...options }: ProductOptions & { readonly moved: Perturbation },
): void {
  const along = { ...moved, tangent: true };
  const planes = perturbedPlanes(graph, weight, along, options.branches);
  if (weight.layout.kind === "codebook") {
    recordProduct(graph, x, weight, { ...options, planes });
  } else {
    addMinimaTangents(graph, x, weight, { ...options, planes });
  }
}

/**
 * Records `y[b, m, n] = sum_k W_b[n, k] x[b, m, k]` (+ bias + residual).
 *
 * `x` is `[B][M][K]` and the result `[B][M][N]`. `W_b` is the tensor with the scales of branch `b`: `base + offset` or
 * `base * (1 + offset)`, with `offset = w + amplitude_b * z(seed_b)`. With `plane`, its codebooks or minima vary by
 * branch too; without it, relative offsets multiply minima like scales.
 *
 * @example One row, an 8-bit matrix
 * ```ts
 * import { compileGraph, DeviceTensor, Graph, matmul, openGpu, SHADER_LIBRARY, Storage, submitPlanInTurns } from "@qzo/qzo/kernels";
 * import { quantize } from "@qzo/qzo/quant";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const packed = quantize(new Float32Array(4 * 32).fill(0.5), 4, 32, "Q8_0");
 * using gpu = await openGpu();
 * using weight = new DeviceTensor("w", packed.layout, 4, 32, gpu.maxBinding);
 * weight.write(gpu, packed);
 * using x = new Storage("x", 32 * 4, "scratch").allocate(gpu);
 * gpu.write(x.buffer, new Float32Array(32).fill(1));
 * const graph = new Graph();
 * const y = matmul(graph, x, weight, { rows: 1, branches: 1, adapterClass: gpu.adapterClass });
 * using plan = compileGraph(gpu, graph, SHADER_LIBRARY, [y]);
 * await submitPlanInTurns(gpu, plan);
 * for (const sum of await gpu.readFloats(plan.buffer(y))) assertAlmostEquals(sum, 16, 0.01);
 * ```
 */
export function matmul(
  graph: Graph,
  x: Value | Storage | Range,
  weight: DeviceTensor,
  options: MatmulOptions,
): Value {
  const { bias, residual } = options;
  const inputs = [x, bias, residual].filter((input) => input !== undefined);
  return recordOperation(graph, matmulOperation, inputs, { ...options, weight });
}
