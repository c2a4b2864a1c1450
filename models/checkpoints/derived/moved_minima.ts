/**
 * The effect of relative offsets of scales on minima that have no offsets of their own: they move with their scales.
 *
 * @module
 */

import { partName, partOf } from "../../../quant/layouts/trained_part.ts";
import type { ModelSource } from "../checkpoint.ts";
import type { TrainedTensor } from "../stored_values.ts";

/**
 * Returns `trained`, with the relative offsets of scales added as offsets of the minima, for scalar layouts with minima: such an offset multiplies
 * the weight, `scale * q + min`. Minima that have offsets of their own keep only those. In super-blocks, folding the scales includes the minima.
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
