/**
 * Finds weights outside the range of F16 when a model is written or loaded with fewer bits. BF16 checkpoints can contain such values, which
 * would become infinite in F16.
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

/** Options for quantising a model, with information for the user. */
export interface ExactPlan<Options> {
  /** The options, changed so that tensors which F16 cannot hold are kept as they are. */
  readonly options: Options;
  /** One sentence for each of these tensors. */
  readonly notes: readonly string[];
}

/**
 * Reads the dense tensors that would be rounded to F16, and keeps the type (BF16 or F32) of those that F16 cannot hold. Other tensors are not
 * read.
 *
 * @param signal Aborts between two pieces.
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
 * As {@linkcode quantizedSource}, except that a tensor with values outside the range of F16 keeps its type instead of becoming F16. The source's
 * notes name these tensors.
 *
 * @example A model without such values is quantised as usual
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

/** Describes the first value outside the range of F16. Values that are not finite are ignored here, because reading the tensor rejects them. */
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
