/**
 * The context that operations of a forward are recorded in, over lists that a test makes up.
 *
 * @module
 */
import {
  type AdapterClass,
  batchLayout,
  type BatchShape,
  type ForwardContext,
  type Perturbation,
} from "../../kernels/mod.ts";
import { partOf } from "../../quant/mod.ts";
import type { Bench } from "./bench.ts";

/** A context whose batch holds `lists` and zeros elsewhere. */
export function contextOf(
  bench: Bench,
  shape: Partial<BatchShape> & { rows: number },
  branches: number,
  lists: Partial<Record<Exclude<keyof ReturnType<typeof batchLayout>, "words">, number[]>>,
  options: { adapterClass?: AdapterClass; perturbation?: Perturbation | undefined } = {},
): ForwardContext {
  const layout = batchLayout({ lossRows: 0, candidates: 0, examples: 0, ...shape });
  const words = new Uint32Array(layout.words);
  for (const [name, values] of Object.entries(lists)) {
    words.set(values, layout[name as keyof typeof layout]);
  }
  return {
    graph: bench.graph,
    branches,
    rows: shape.rows,
    batch: bench.storage("batch", words),
    layout,
    adapterClass: options.adapterClass ?? bench.gpu.adapterClass,
    perturbation: (name) => partOf(name).part === "scales" ? options.perturbation : undefined,
  };
}
