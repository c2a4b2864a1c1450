/**
 * Checks a tensor's values before they are rounded to a format.
 *
 * @module
 */

import { badValue, badValueText } from "../../../quant/quantisers/check_values.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import { tensorTitle } from "../non_finite_weight.ts";
import type { TensorSource } from "../checkpoint.ts";

/**
 * @param firstRow Index in the tensor of the first row of `values`.
 * @throws {RangeError} when a value is not finite or is outside the range of the format. The message gives the tensor, value, row and column.
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
