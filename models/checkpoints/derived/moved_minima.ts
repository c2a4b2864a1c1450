/**
 * Minima that move with their scales: what a relative offset of scales does to a tensor whose minima have no offsets of their own.
 *
 * @module
 */

import { partName, partOf } from "../../../quant/layouts/trained_part.ts";
import type { ModelSource } from "../checkpoint.ts";
import type { TrainedTensor } from "../stored_values.ts";

/**
 * `trained`, and besides relative offsets of the scales of scalar layouts with minima the same ones of these minima: such an offset
 * multiplies the weight, `scale * q + min`. Minima with offsets of their own have those alone, and of super-blocks folding scales
 * takes the minima along.
 */
export function withMovedMinima(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
): Map<string, TrainedTensor> {
  const all = new Map(trained);
  for (const [name, values] of trained) {
    const { tensor, part } = partOf(name);
    const layout = source.tensors.get(tensor)?.format.layout;
    if (part !== "scales" || values.form !== "relative") continue;
    if (layout?.kind !== "scalar" || layout.second !== "min") continue;
    const minima = partName(tensor, "minima");
    if (!all.has(minima)) all.set(minima, values);
  }
  return all;
}
