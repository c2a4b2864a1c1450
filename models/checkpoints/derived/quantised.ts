/**
 * Quantises a model while it is loaded, one tensor at a time: 16-bit weights in, packed planes out.
 *
 * @module
 */

import type { FormatName } from "../../../quant/formats/format_name.ts";
import { assertOptions, countOrNone, type OptionRules } from "../../../optim/options.ts";
import { PRODUCTS_HERE, runWith } from "../../../quant/quantisers/computation.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import { assertKept, type PlanOptions } from "../../../quant/formats/choose_format.ts";
import {
  quantizeComputation,
  type QuantizeOptions,
} from "../../../quant/quantisers/round_to_nearest.ts";
import { isQuantised, type PackedTensor } from "../../../quant/layouts/layout.ts";
import { secondPart } from "../../../quant/layouts/trained_part.ts";
import { checkTensorValues } from "./check_tensor_values.ts";
import { assertFinite } from "../non_finite_weight.ts";
import { quantizationOf } from "./quantization_plan.ts";
import type { ModelSource, TensorSource } from "../checkpoint.ts";

/** Options for quantising. */
export interface QuantizedSourceOptions extends PlanOptions, Omit<QuantizeOptions, "statistics"> {
  /** Format of the matrices, such as `"int4_g128"`, `"Q4_0"` or `"codebook2x8"`. */
  readonly format: FormatName;
  /** Aborts the reading of a tensor within a second. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The same model with its dense matrices in `options.format`. The format of each tensor is chosen individually; some stay unquantised. Tensors
 * that are already quantised are kept.
 *
 * Reading a tensor throws a RangeError with its name for a value that is not finite or is outside the range of its format, such as one above
 * 65504 in an embedding that becomes F16. {@linkcode exactlyQuantizedSource} looks for such values first.
 *
 * @throws {RangeError} when `keep` contains a string that no tensor name contains.
 *
 * @example Write a 4-bit copy of the bundled model
 * ```ts
 * import { openModelSource, quantizedSource, writeModel } from "@qzo/qzo";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const path = await Deno.makeTempFile({ suffix: ".gguf" });
 * await writeModel(quantizedSource(source, { format: "Q4_0", embedding: "Q8_0" }), path);
 * await Deno.remove(path);
 * ```
 */
export function quantizedSource(source: ModelSource, options: QuantizedSourceOptions): ModelSource {
  assertOptions("quantise a model", options, quantizedSourceRules);
  return quantizedNearest(source, options);
}

/** The known options of {@linkcode quantizedSource}. */
export const quantizedSourceRules: OptionRules<QuantizedSourceOptions> = {
  format: "any",
  embedding: "any",
  head: "any",
  fallback: "any",
  vectors: "any",
  keep: "any",
  overrides: "any",
  search: "any",
  signal: "any",
  seed: countOrNone,
};

/** {@linkcode quantizedSource} for options objects with additional keys. */
export function quantizedNearest(
  source: ModelSource,
  options: QuantizedSourceOptions,
): ModelSource {
  assertKept(options.keep, [...source.tensors.keys()]);
  const tensors = new Map<string, TensorSource>();
  for (const [name, tensor] of source.tensors) {
    const { format } = quantizationOf(tensor, options);
    tensors.set(
      name,
      format === tensor.format.name ? checked(tensor) : quantized(tensor, format, options),
    );
  }
  const name = `${source.name} as ${options.format}`;
  return { ...source, name, tensors, gguf: undefined, split: undefined, folder: undefined };
}

/** Checks a tensor that stays dense when it is read, because it may otherwise be written without being checked. */
function checked(tensor: TensorSource): TensorSource {
  if (isQuantised(tensor.format.layout)) return tensor;
  return {
    ...tensor,
    read: async (first, rows) => {
      const packed = await tensor.read(first, rows);
      assertFinite(tensor, packed, first);
      return packed;
    },
  };
}

function quantized(
  tensor: TensorSource,
  formatName: string,
  options: QuantizedSourceOptions,
): TensorSource {
  const format = formatByName(formatName);
  // Codebooks are fitted to all rows.
  const whole = secondPart(format.layout) === "codebook";
  let last: { key: string; packed: PackedTensor } | undefined;
  return {
    ...tensor,
    stored: undefined,
    format,
    whole,
    read: async (first, rows) => {
      // A codebook takes seconds to create, and exporting what was trained reads it again.
      const key = `${first}+${rows}`;
      if (last?.key === key) return last.packed;
      const dense = decode(await tensor.read(first, rows));
      checkTensorValues(tensor, dense, formatName, first);
      const { columns } = tensor;
      const packed = await runWith(
        quantizeComputation(dense, rows, columns, formatName, options),
        PRODUCTS_HERE,
        options.signal,
      );
      if (whole) last = { key, packed };
      return packed;
    },
  };
}
