/**
 * Folders in this library's own form: packed planes, and a table of formats in `config.json`.
 *
 * @module
 */

import { shown } from "../../config/config_keys.ts";
import type { Format } from "../../../quant/formats/format.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import {
  groupsPerRow,
  hasIntegerScales,
  isPaired,
  rowPeriod,
} from "../../../quant/layouts/layout.ts";
import { packedFromSafetensors } from "../../../quant/files/packed_safetensors.ts";
import { secondPart } from "../../../quant/layouts/trained_part.ts";
import { storedFloats } from "../stored_values.ts";
import type { QuantizationMethod } from "./stored_tensors.ts";

/** `quant_method` "qzo": `formats` gives the format of each quantised tensor. */
export const packedTensors: QuantizationMethod = ({ formats: table }, tensors, what) => {
  if (typeof table !== "object" || table === null) {
    throw new RangeError(`Cannot read "${what}": its quantization method "qzo" has no formats`);
  }
  const formats = new Map(
    Object.entries(table).map(([tensor, format]) => [tensor, formatOf(tensor, format)]),
  );
  return {
    has: (stored) => formats.has(stored),
    open({ name, stored, rows, columns }) {
      const format = formats.get(stored)!;
      const codes = tensors.get(`${stored}.codes`);
      if (!codes) {
        throw new RangeError(`Cannot load tensor "${stored}": "${stored}.codes" is missing`);
      }
      // All planes of a tensor are in the same file.
      const file = { tensors: codes.planes, metadata: new Map<string, string>() };
      const scales = tensors.get(`${stored}.scales`);
      const { layout } = format;
      const step = isPaired(layout) ? 2 : 1;
      const groups = groupsPerRow(layout, columns);
      const at = (row: number, g: number) => (row * groups + g) * step;
      const codebook = tensors.get(`${stored}.codebook`);
      const where = { name: stored, format: format.name, rows, columns };
      return {
        name,
        rows,
        columns,
        format,
        // Pieces of rows could begin with different classes.
        whole: rowPeriod(layout) !== undefined,
        // Integer scales are folded together with their super-blocks, when the folder is rewritten.
        stored: scales && !hasIntegerScales(layout)
          ? {
            scales: storedFloats(scales, at),
            ...secondPart(layout) === "minima"
              ? { minima: storedFloats(scales, (row, g) => at(row, g) + 1) }
              : {},
            ...codebook ? { codebook: storedFloats(codebook) } : {},
          }
          : undefined,
        read: (firstRow, count) =>
          packedFromSafetensors(codes.file, file, where, { firstRow, rows: count }),
      };
    },
  };
};

function formatOf(tensor: string, name: unknown): Format {
  try {
    return formatByName(String(name));
  } catch (cause) {
    throw new RangeError(
      `Cannot load tensor "${tensor}": its format is ${shown(name)}. ${(cause as Error).message}`,
      { cause },
    );
  }
}
