/**
 * Gains of norms and biases must be dense: no program quantises them, and a forward would take their codes for numbers.
 *
 * @module
 */

import { DENSE_FORMATS } from "../../quant/formats/dense_formats.ts";
import type { TensorSource } from "./checkpoint.ts";
import { isQuantised } from "../../quant/layouts/layout.ts";

/**
 * @param tensor As the architecture wants it: gains have one row.
 * @throws {RangeError} naming tensor and format.
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
