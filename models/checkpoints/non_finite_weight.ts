/**
 * Weights that are NaN or infinite: found while a model is loaded, named as its file names them, and looked for again when a loss is NaN.
 *
 * @module
 */
import { decode } from "../../quant/layouts/decode.ts";
import type { PackedTensor } from "../../quant/layouts/layout.ts";
import { hasNonFinite } from "../../quant/layouts/non_finite.ts";
import { piecesOf, type TensorSource } from "./checkpoint.ts";

/** A tensor in messages: as its file names it, and as GGUF does where that differs. */
export function tensorTitle(
  { name, fileName = name }: Pick<TensorSource, "name" | "fileName">,
): string {
  return fileName === name ? `"${name}"` : `"${fileName}" (${name})`;
}

/** The first value of some rows that is not finite, and its place, in words; undefined where all are finite. */
function nonFiniteIn(
  tensor: Pick<TensorSource, "columns" | "columnOrder">,
  packed: PackedTensor,
  firstRow: number,
): string | undefined {
  if (!hasNonFinite(packed)) return undefined;
  const values = decode(packed);
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return undefined; // Among scales that no weight has.
  const column = index % tensor.columns;
  return `${values[index]} at row ${firstRow + Math.floor(index / tensor.columns)}, column ${
    tensor.columnOrder?.[column] ?? column
  }`;
}

/**
 * @param firstRow Where the rows begin in the tensor
 * @throws {RangeError} Naming the tensor and the place of a weight that is not finite
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
 * Why a loss may not be finite, in a sentence: the first weight that is not, found by one pass over all; or, where all are finite, what
 * else it comes from.
 *
 * @param tuned Whether offsets of a fine-tune were laid over the weights
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
