/**
 * The table of methods with which a model can be quantised. A new method needs a file (or a value like these) and a row here.
 *
 * @module
 */

import {
  type ComputedQuantizer,
  gptqApplies,
  gptqComputation,
} from "../../../quant/quantisers/gptq_quantize.ts";
import type { InputStatistics } from "../../../quant/quantisers/input_statistics.ts";
import { nearestNames } from "../../../quant/nearest_names.ts";
import { quantizeComputation, weighsColumns } from "../../../quant/quantisers/round_to_nearest.ts";
import { secondPart } from "../../../quant/layouts/trained_part.ts";
import { awqMethod } from "./awq.ts";
import { layerMethod, type MethodOptions, type QuantizeMethod } from "./method.ts";
import { isQuantised } from "../../../quant/layouts/layout.ts";

/** `quantize` with statistics of the inputs. */
const informed =
  (statistics: InputStatistics, options: MethodOptions): ComputedQuantizer =>
  (values, rows, columns, format) =>
    quantizeComputation(values, rows, columns, format, { ...options, statistics });

/** All methods. */
export const QUANTIZE_METHODS: readonly QuantizeMethod[] = [
  layerMethod({
    name: "rtn",
    summary: "round to nearest, with a search for good scales",
    calibrated: false,
    applies: ({ layout }) => isQuantised(layout),
    quantizer: (_, options) => (values, rows, columns, format) =>
      quantizeComputation(values, rows, columns, format, options),
  }),
  layerMethod({
    name: "gptq",
    summary: "later columns compensate for the rounding errors of earlier ones (arXiv 2210.17323)",
    calibrated: true,
    applies: gptqApplies,
    quantizer: gptqComputation,
  }),
  awqMethod,
  layerMethod({
    name: "imatrix",
    summary: "round to nearest, with errors weighted by the mean square of each input",
    calibrated: true,
    applies: weighsColumns,
    quantizer: informed,
  }),
  layerMethod({
    name: "codebook",
    summary: "codebooks and codes fitted alternately to the outputs (AQLM, arXiv 2401.06118)",
    calibrated: true,
    applies: ({ layout }) => secondPart(layout) === "codebook",
    quantizer: informed,
  }),
];

/**
 * The method with this name.
 *
 * @throws {RangeError} when it is unknown. The message gives the nearest known names.
 */
export function quantizeMethodByName(name: string): QuantizeMethod {
  const found = QUANTIZE_METHODS.find((method) => method.name === name.toLowerCase());
  if (found) return found;
  const known = QUANTIZE_METHODS.map((method) => method.name);
  const near = nearestNames(name, known);
  throw new RangeError(
    `Cannot find method "${name}": ${
      near.length > 0 ? `did you mean ${near.join(", ")}?` : `expected one of ${known.join(", ")}`
    }`,
  );
}
