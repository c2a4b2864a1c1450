/**
 * The check of a tensor's values before they are rounded to a format.
 *
 * @module
 */

import { badValue, badValueText } from "../../../quant/quantisers/check_values.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import { tensorTitle } from "../non_finite_weight.ts";
import type { TensorSource } from "../checkpoint.ts";

/**
 * @param firstRow Where `values` begin in the tensor
 * @throws {RangeError} naming tensor, value, row and column for what is not finite, or what the format cannot hold.
 */
export function checkTensorValues(
  tensor: Pick<TensorSource, "name" | "fileName" | "columns">,
  values: Float32Array,
  format: string,
  firstRow = 0,
): void {
  const bad = badValue(values, formatByName(format).layout);
  if (!bad) return;
  const place = badValueText(bad, tensor.columns, firstRow);
  const advice = bad.limit ? "; keep the tensor as it is, or choose another format for it" : "";
  throw new RangeError(
    `Cannot quantise tensor ${tensorTitle(tensor)} to ${format}: it contains ${place}${advice}`,
  );
}
