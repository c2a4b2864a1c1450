/**
 * A model with an adapter merged into its matrices: an ordinary model without an adapter.
 *
 * @module
 */

import { decode } from "../../../quant/layouts/decode.ts";
import { isQuantised } from "../../../quant/layouts/layout.ts";
import { quantize } from "../../../quant/quantisers/round_to_nearest.ts";
import { adapterValues, fitAdapter } from "../../adapters/adapted.ts";
import type { Adapter } from "../../adapters/scheme.ts";
import { adapterScheme } from "../../adapters/schemes.ts";
import type { ModelSource, TensorSource } from "../checkpoint.ts";
import { checkTensorValues } from "./check_tensor_values.ts";
import { decodedTensor } from "./decoded.ts";
import { replacedSource } from "./replaced.ts";

/** Options for merging an adapter. */
export interface MergeOptions {
  /** Trained offsets of the adapter's tensors, by name. Default: none. */
  readonly offsets?: ReadonlyMap<string, Float32Array> | undefined;
  /**
   * What to do with packed matrices: `"refuse"`, or `"requantise"` to the same format by rounding to nearest, which loses a part of what was
   * trained. Default `"refuse"`.
   */
  readonly packed?: "refuse" | "requantise";
}

/**
 * The same model with an adapter merged into its matrices, each as it is read. Dense matrices keep their type.
 *
 * @throws {RangeError} for packed matrices unless `packed` is `"requantise"`, and for an adapter that does not fit the model or cannot be
 * merged. Reading a tensor throws for a value outside the range of its type.
 *
 * @example LoRA in the bundled model
 * ```ts
 * import { loraAdapter, mergedSource, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * using merged = mergedSource(source, loraAdapter(source, { rank: 4 }));
 * assertEquals(merged.tensors.size, source.tensors.size);
 * ```
 */
export function mergedSource(
  base: ModelSource,
  adapter: Adapter,
  { offsets, packed = "refuse" }: MergeOptions = {},
): ModelSource {
  const { tensors: own } = fitAdapter(base.config, adapter);
  const source = replacedSource(base, adapter);
  const scheme = adapterScheme(adapter.scheme);
  const refuse = (why: string) =>
    new RangeError(`Cannot merge an adapter into "${source.name}": ${why}`);
  if (!scheme.merge) throw refuse(`scheme ${adapter.scheme} does not change matrices`);
  const valuesOf = (name: string): Float32Array => {
    const values = decode(adapterValues(adapter, own.get(name)!));
    offsets?.get(name)?.forEach((offset, i) => values[i] += offset);
    return values;
  };
  const changes = scheme.merge(scheme.parse(adapter.plan), {
    values: valuesOf,
    has: (name) => source.tensors.has(name),
  });
  const tensors = new Map<string, TensorSource>(source.tensors);
  for (const [name, change] of changes) {
    const tensor = source.tensors.get(name);
    if (!tensor) throw refuse(`it has no tensor "${name}", which the adapter changes`);
    const { format } = tensor;
    if (packed === "refuse" && isQuantised(format.layout)) {
      throw refuse(
        `"${name}" is ${format.name}, and quantising it again would lose part of what was trained; allow that with --requantise, or merge into the dense model`,
      );
    }
    const dense = decodedTensor(tensor);
    tensors.set(name, {
      ...dense,
      format,
      read: async (first, rows) => {
        const values = decode(await dense.read(first, rows));
        change(values, first, rows);
        checkTensorValues(tensor, values, format.name, first);
        return quantize(values, rows, tensor.columns, format.name);
      },
    });
  }
  return { ...source, tensors, gguf: undefined, split: undefined, folder: undefined };
}
