/**
 * Sums over gradients in a fixed order: their norm, and their dot product with a tangent.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import source from "./gradient_product.wgsl.ts";

/** Maximum number of workgroups that share the sum of one arena. */
const MOST_PARTIALS = 256;

/** A part of a gradient, and the tangent that it is multiplied by. */
interface Factors {
  readonly gradient: Value | Storage;
  /** Size of the gradient in bytes. */
  readonly bytes: number;
  /** Has as many elements as the gradient. */
  readonly tangent?: Value;
}

/** Records the dot product of all parts with their tangents into `result[index]`. Without tangents, records their norm. */
export function gradientProduct(
  graph: Graph,
  parts: readonly Factors[],
  { result, index }: { readonly result: Storage; readonly index: number },
): void {
  const counts = parts.map(({ bytes }) => Math.min(MOST_PARTIALS, Math.ceil(bytes / 16 / 64)));
  const all = counts.reduce((sum, count) => sum + count, 0);
  const along = parts.some(({ tangent }) => tangent !== undefined);
  const partials = graph.value("partial products", all);
  let first = 0;
  parts.forEach(({ gradient, tangent, bytes }, i) => {
    graph.add({
      label: "partial products of a gradient",
      source,
      key: { LAST: false, ALONG: along },
      reads: { 1: gradient, 2: tangent },
      writes: { 3: partials },
      parameters: [bytes / 16, first],
      workgroups: counts[i],
    });
    first += counts[i];
  });
  graph.add({
    label: along ? "derivative along tangent" : "gradient norm",
    source,
    key: { LAST: true, ALONG: along },
    reads: { 1: partials },
    writes: { 3: result },
    parameters: [all, index],
    workgroups: 1,
  });
}
