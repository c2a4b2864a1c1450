/**
 * Weights beyond F16, where a model is to be written or loaded in fewer bits: BF16 checkpoints have such values, and F16 has infinity in
 * their place.
 *
 * @module
 */

import { assertOptions } from "../../../optim/options.ts";
import { badValue, badValueText } from "../../../quant/quantisers/check_values.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import { elementType } from "../../../quant/layouts/layout.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import { chooseFormat } from "../../../quant/formats/choose_format.ts";
import { quantizationNotes } from "./quantization_plan.ts";
import { type ModelSource, rowsPerPiece, type TensorSource } from "../checkpoint.ts";
import { formatSubject } from "../tensor_kind.ts";
import { quantizedSource, type QuantizedSourceOptions, quantizedSourceRules } from "./quantised.ts";

/** How to quantise a model, and what of it should be known. */
export interface ExactPlan<Options> {
  /** The options, with tensors that F16 cannot hold left as they are. */
  readonly options: Options;
  /** A sentence for each of those. */
  readonly notes: readonly string[];
}

/**
 * Reads those dense tensors that would be rounded to F16 and finds the ones that it cannot hold: these keep their own type, BF16 or F32. Other
 * tensors are not read.
 *
 * @param signal Stops between two pieces
 */
export async function exactPlan<Options extends QuantizedSourceOptions>(
  source: ModelSource,
  options: Options,
  signal?: AbortSignal,
): Promise<ExactPlan<Options>> {
  const overrides = new Map(options.overrides);
  const notes: string[] = [];
  for (const tensor of source.tensors.values()) {
    const { name, format } = tensor;
    if ((elementType(format.layout) ?? "f16") === "f16") continue;
    const chosen = formatByName(chooseFormat(formatSubject(tensor), options.format, options));
    if (elementType(chosen.layout) !== "f16") continue;
    const wide = await firstBeyondF16(tensor, signal);
    if (wide === undefined) continue;
    overrides.set(name, format.name);
    notes.push(`Tensor "${name}" stays ${format.name}: it holds ${wide}.`);
  }
  return overrides.size === 0 ? { options, notes } : { options: { ...options, overrides }, notes };
}

/**
 * As {@linkcode quantizedSource}, with tensors that hold values beyond F16 left in their own type where they would become F16. Notes of the
 * source say which.
 *
 * @example A model without such values is quantised as ever
 * ```ts
 * import { exactlyQuantizedSource, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const quantized = await exactlyQuantizedSource(source, { format: "Q4_0" });
 * assertEquals(quantized.tensors.get("blk.0.ffn_up.weight")?.format.name, "Q4_0");
 * assertEquals(quantized.notes, []);
 * ```
 */
export async function exactlyQuantizedSource(
  source: ModelSource,
  options: QuantizedSourceOptions,
  signal?: AbortSignal,
): Promise<ModelSource> {
  assertOptions("quantise a model", options, quantizedSourceRules);
  const plan = await exactPlan(source, options, signal);
  const quantized = quantizedSource(source, plan.options);
  const notes = quantizationNotes(source, options);
  return { ...quantized, notes: [...source.notes ?? [], ...notes, ...plan.notes] };
}

/** In words; what is not finite is for whoever reads the values to refuse. */
async function firstBeyondF16(
  tensor: TensorSource,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { rows, columns } = tensor;
  const { layout } = formatByName("F16");
  const step = rowsPerPiece(tensor);
  for (let first = 0; first < rows; first += step) {
    signal?.throwIfAborted();
    const values = decode(await tensor.read(first, Math.min(step, rows - first)));
    const bad = badValue(values, layout);
    if (bad?.limit) return badValueText(bad, columns, first);
  }
  return undefined;
}
