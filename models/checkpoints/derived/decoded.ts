/**
 * A quantised model as a dense one, so that it can be quantised again.
 *
 * @module
 */
import { decode } from "../../../quant/layouts/decode.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import { formatChoice } from "../../../quant/formats/choose_format.ts";
import { quantize } from "../../../quant/quantisers/round_to_nearest.ts";
import type { WantedFormats } from "./quantization_plan.ts";
import type { ModelSource, TensorSource } from "../checkpoint.ts";
import { formatSubject } from "../tensor_kind.ts";
import { isQuantised } from "../../../quant/layouts/layout.ts";

/**
 * The same model with quantised tensors decoded to F32 as they are read, and with columns in their original order. Quantising to `options`
 * starts from this. Tensors already in the requested format are kept, and so are embedding and head unless `options` gives their formats.
 *
 * @example Decode a Q8_0 model before quantising it to Q4_0
 * ```ts
 * import { decodedSource, openModelSource, quantizedSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const eight = quantizedSource(source, { format: "Q8_0" });
 * const four = quantizedSource(decodedSource(eight, { format: "Q4_0" }), { format: "Q4_0" });
 * assertEquals(four.tensors.get("blk.0.ffn_up.weight")?.format.name, "Q4_0");
 * ```
 */
export function decodedSource(source: ModelSource, options: WantedFormats): ModelSource {
  const tensors = new Map<string, TensorSource>();
  for (const [name, tensor] of source.tensors) {
    const { format } = tensor;
    const subject = formatSubject(tensor);
    const { kind } = subject;
    const asked = kind === "matrix" || kind === "vector" || options.embedding !== undefined ||
      kind === "head" && options.head !== undefined;
    const chosen = formatChoice(subject, options.format, options).format;
    const stays = !isQuantised(format.layout) || format.name === chosen || !asked;
    tensors.set(name, stays ? tensor : decodedTensor(tensor));
  }
  return { ...source, tensors, gguf: undefined, split: undefined, folder: undefined };
}

/** A tensor decoded to F32 as it is read, with columns in their original order. */
export function decodedTensor(tensor: TensorSource): TensorSource {
  const { columns, columnOrder } = tensor;
  return {
    ...tensor,
    format: formatByName("F32"),
    columnOrder: undefined,
    stored: undefined,
    patches: undefined,
    read: async (first, rows) => {
      const values = decode(await tensor.read(first, rows));
      return quantize(columnOrder ? inOrder(values, columnOrder) : values, rows, columns, "F32");
    },
  };
}

/** Rows with each column moved to the position of its input feature. */
function inOrder(values: Float32Array<ArrayBuffer>, order: Uint32Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += order.length) {
    order.forEach((feature, column) => out[row + feature] = values[row + column]);
  }
  return out;
}
