/**
 * Folders in this library's own form: planes and a table of formats in `config.json`.
 *
 * @module
 */

import { formatByName } from "../quant/formats.ts";
import { groupsPerRow } from "../quant/layout.ts";
import { packedFromSafetensors } from "../quant/packed_safetensors.ts";
import { storedFloats } from "./stored_values.ts";
import type { QuantizationMethod } from "./stored_tensors.ts";

/** `quant_method` "qzo": `formats` names the format of each quantised tensor. */
export const packedTensors: QuantizationMethod = ({ formats: table }, tensors, what) => {
  if (typeof table !== "object" || table === null) {
    throw new RangeError(`Cannot read "${what}": its quantization method "qzo" has no formats`);
  }
  const formats = new Map(
    Object.entries(table).map(([tensor, format]) => [tensor, formatByName(String(format))]),
  );
  return {
    has: (stored) => formats.has(stored),
    open({ name, stored, rows, columns }) {
      const format = formats.get(stored)!;
      const codes = tensors.get(`${stored}.codes`);
      if (!codes) {
        throw new RangeError(`Cannot load tensor "${stored}": "${stored}.codes" is missing`);
      }
      // All planes of a tensor lie in one file.
      const file = { tensors: codes.planes, metadata: new Map<string, string>() };
      const scales = tensors.get(`${stored}.scales`);
      const { layout } = format;
      const paired = layout.kind === "column" ||
        layout.kind === "scalar" && layout.second !== "none";
      const step = paired ? 2 : 1;
      const groups = groupsPerRow(layout, columns);
      const where = { name: stored, format: format.name, rows, columns };
      return {
        name,
        rows,
        columns,
        format,
        // Rows do not begin with the same class everywhere.
        whole: layout.kind === "column",
        stored: scales && storedFloats(scales, (row, g) => (row * groups + g) * step),
        read: (firstRow, count) =>
          packedFromSafetensors(codes.file, file, where, { firstRow, rows: count }),
      };
    },
  };
};
