/**
 * Checks that the gains of norms and biases are stored unquantised: no program quantises them, and a forward pass would read their codes as numbers.
 *
 * @module
 */

import { DENSE_FORMATS } from "../../quant/formats/dense_formats.ts";
import type { TensorSource } from "./checkpoint.ts";
import { isQuantised } from "../../quant/layouts/layout.ts";

/**
 * @param tensor A tensor with the shape that the architecture expects. A gain has one row.
 * @throws {RangeError} when the gain is quantised. The message names the tensor and its format.
 */
export function checkGain(
  { name, fileName = name, rows, format }: Pick<
    TensorSource,
    "name" | "fileName" | "rows" | "format"
  >,
): void {
  if (rows !== 1 || !isQuantised(format.layout)) return;
  throw new RangeError(
    `Cannot load tensor "${fileName}": its type is ${format.name}, but norm weights can be read only as ${
      DENSE_FORMATS.map(({ name }) => name).join(", ")
    } (llama.cpp supports no others either): leave it unquantised`,
  );
}
