/**
 * A product on the device beside its oracle: random weights in a layout, perturbed by branch, times random rows.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type Gpu, matmul, type Tile } from "../../kernels/mod.ts";
import type { Layout, ScalarLayout } from "../../quant/mod.ts";
import { effectiveWeights } from "../reference/effective_weights.ts";
import { matmul as oracle } from "../reference/matmul.ts";
import { numbersBy } from "../support/sampled.ts";
import {
  assertClose,
  Bench,
  normals,
  perturb,
  randomTensorOf,
  type TestPerturbation,
} from "./bench.ts";

/** Sizes, and what is fused into the product. */
export interface ProductCase {
  readonly layout: Layout;
  readonly outputs: number;
  readonly inputs: number;
  readonly rows: number;
  readonly branches: number;
  /** By default that of the adapter. */
  readonly adapterClass?: Gpu["adapterClass"];
  readonly tile?: Tile | undefined;
  /** Of the scales. */
  readonly perturbation?: TestPerturbation | undefined;
  /** Of what the layout has besides its scales. */
  readonly plane?: TestPerturbation | undefined;
  readonly bias?: boolean | undefined;
  readonly residual?: boolean | undefined;
  readonly maxBinding?: number;
  /** Whether x is a value of the graph, as in a forward, instead of a storage buffer. */
  readonly ofGraph?: boolean;
  /** Dispatches expected of the software kernel; x is a value of the graph. */
  readonly windows?: number;
}

/** Runs a product on the device and compares it with the oracle. Its random numbers depend on the case alone. */
export async function checkProduct(gpu: Gpu, c: ProductCase): Promise<void> {
  const { layout, outputs, inputs, rows, branches, tile, adapterClass = gpu.adapterClass } = c;
  const random = numbersBy(JSON.stringify(c));
  using bench = new Bench(gpu);
  const packed = randomTensorOf(layout, outputs, inputs, random);
  const tensor = bench.tensor("w", packed, c.maxBinding);
  const { perturbation, plane, weights } = c.perturbation || c.plane
    ? perturb(bench, tensor, packed, c.perturbation, branches, random, c.plane)
    : { weights: Array(branches).fill(effectiveWeights(packed)) };
  const x = normals(branches * rows * inputs, random);
  const bias = c.bias ? normals(outputs, random) : null;
  const residual = c.residual ? normals(branches * rows * outputs, random) : null;
  const ofGraph = c.ofGraph || c.windows !== undefined;
  const input = ofGraph ? bench.value("x", x) : bench.storage("x", x);
  const before = bench.graph.dispatches.length;
  const y = matmul(bench.graph, input, tensor, {
    rows,
    branches,
    tile,
    perturbation,
    plane,
    adapterClass,
    bias: bias ? bench.storage("bias", bias) : undefined,
    residual: residual ? bench.value("residual", residual) : undefined,
  });
  const products = bench.graph.dispatches.filter((d, i) => i >= before && d.writes[3] === y);
  if (c.windows && adapterClass === "software") assertEquals(products.length, c.windows);
  const [actual] = await bench.run(y);
  const expected = oracle({ branches, rows, inputs, outputs }, weights, x, bias, residual);
  assertClose(actual, expected, JSON.stringify(c));
}

/** A scalar layout, its codes about the middle where nothing beside the scale shifts them. */
export function scalarLayout(
  bits: ScalarLayout["bits"],
  second: ScalarLayout["second"],
  group: number,
): ScalarLayout {
  return { kind: "scalar", bits, second, group, center: second === "none" ? 2 ** (bits - 1) : 0 };
}

/** Layouts by name that differ in their shaders; the group is that of the scalar ones. */
export function layoutsByName(
  scalars: readonly (readonly [bits: ScalarLayout["bits"], second: ScalarLayout["second"]])[],
): Record<string, (group: number) => Layout> {
  return {
    f32: () => ({ kind: "dense", type: "f32" }),
    f16: () => ({ kind: "dense", type: "f16" }),
    bf16: () => ({ kind: "dense", type: "bf16" }),
    "codebook 1x8": () => ({ kind: "codebook", books: 1 }),
    "codebook 2x8": () => ({ kind: "codebook", books: 2 }),
    ...Object.fromEntries(
      scalars.map(([bits, second]) => [
        `int${bits} ${second}`,
        (group: number): Layout => scalarLayout(bits, second, group),
      ]),
    ),
  };
}
