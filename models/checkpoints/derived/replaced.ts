/**
 * A model in which an adapter's own tensors replace those of the base.
 *
 * @module
 */

import { formatByName } from "../../../quant/formats/formats.ts";
import { quantize } from "../../../quant/quantisers/round_to_nearest.ts";
import { fitAdapter } from "../../adapters/adapted.ts";
import type { Adapter } from "../../adapters/scheme.ts";
import type { ModelSource, TensorSource } from "../checkpoint.ts";

/**
 * The same model with an adapter's biases and whole modules, in F32. If the adapter has none, the model itself.
 *
 * @throws {RangeError} when they do not fit the model.
 */
export function replacedSource(source: ModelSource, adapter: Adapter): ModelSource {
  const { replaced } = adapter;
  if (!replaced || replaced.size === 0) return source;
  fitAdapter(source.config, adapter);
  const tensors = new Map<string, TensorSource>(source.tensors);
  for (const [name, values] of replaced) {
    const tensor = source.tensors.get(name)!;
    const { columns } = tensor;
    tensors.set(name, {
      ...tensor,
      format: formatByName("F32"),
      columnOrder: undefined,
      stored: undefined,
      patches: undefined,
      read: (first, rows) => {
        const own = values.subarray(first * columns, (first + rows) * columns);
        return Promise.resolve(quantize(own, rows, columns, "F32"));
      },
    });
  }
  return { ...source, tensors, gguf: undefined, split: undefined, folder: undefined };
}
