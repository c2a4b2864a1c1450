/**
 * Weights that are NaN or infinite: reported with their names in the file while a model is loaded, and searched for when a loss is NaN.
 *
 * @module
 */
import { decode } from "../../quant/layouts/decode.ts";
import type { PackedTensor } from "../../quant/layouts/layout.ts";
import { hasNonFinite } from "../../quant/layouts/non_finite.ts";
import { piecesOf, type TensorSource } from "./checkpoint.ts";

/** A tensor's name for messages: its name in the file, followed by its GGUF name if that differs. */
export function tensorTitle(
  { name, fileName = name }: Pick<TensorSource, "name" | "fileName">,
): string {
  return fileName === name ? `"${name}"` : `"${fileName}" (${name})`;
}

/** The first non-finite value in some rows and its position, in words. Undefined if all values are finite. */
function nonFiniteIn(
  tensor: Pick<TensorSource, "columns" | "columnOrder">,
  packed: PackedTensor,
  firstRow: number,
): string | undefined {
  if (!hasNonFinite(packed)) return undefined;
  const values = decode(packed);
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return undefined; // The non-finite value is a scale that no weight uses.
  const column = index % tensor.columns;
  return `${values[index]} at row ${firstRow + Math.floor(index / tensor.columns)}, column ${
    tensor.columnOrder?.[column] ?? column
  }`;
}

/**
 * @param firstRow Index of the first row in the tensor.
 * @throws {RangeError} when a weight is not finite. The message names the tensor and the position.
 */
export function assertFinite(tensor: TensorSource, packed: PackedTensor, firstRow: number): void {
  const found = nonFiniteIn(tensor, packed, firstRow);
  if (found === undefined) return;
  throw new RangeError(
    `Cannot load tensor ${
      tensorTitle(tensor)
    }: it contains ${found}. The file is damaged, or a 16-bit value overflowed in training or writing: use an earlier checkpoint, or write it in bfloat16 or 32 bits`,
  );
}

/**
 * A sentence that explains why a loss may not be finite. It names the first non-finite weight, which takes one pass over all tensors. If all are
 * finite, it suggests another cause.
 *
 * @param tuned Whether a fine-tune has been applied to the weights.
 */
export async function whyNotFinite(
  tensors: Iterable<TensorSource>,
  tuned: boolean,
): Promise<string> {
  try {
    for (const tensor of tensors) {
      for await (const { firstRow, packed } of piecesOf([tensor])) {
        const found = nonFiniteIn(tensor, packed, firstRow);
        if (found !== undefined) return `Tensor ${tensorTitle(tensor)} holds ${found}`;
      }
    }
  } catch (error) {
    return `The weights could not be checked: ${(error as Error).message}`;
  }
  return tuned
    ? "All weights of the base are finite, so the fine-tune went too far: go back to an earlier step (--step), or train with a smaller learning rate or epsilon"
    : "All weights are finite, so an intermediate result overflowed: the weights are too large for 32-bit floats, or the configuration does not belong to them";
}
