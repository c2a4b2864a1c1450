/**
 * Folders quantised with AQLM: each linear layer is stored as `NAME.codes`, `.codebooks` and `.scales`.
 *
 * @module
 */

import { aqlmToPacked } from "../../../quant/packings/aqlm.ts";
import { type CodebookLayout, codebookShape } from "../../../quant/layouts/layout.ts";
import type { TensorSource } from "../checkpoint.ts";
import {
  bytesOf,
  FLOATS,
  formatOfLayout,
  halvesOf,
  linearLayers,
  oneOf,
  planeOf,
  wholeTensor,
} from "./stored_planes.ts";
import type { QuantizationMethod, StoredTensors, WantedTensor } from "./stored_tensors.ts";
import { storedFloats } from "../stored_values.ts";

/** `quant_method` "aqlm": 1 to 4 codebooks with codes of 1 to 16 bits. A codebook entry covers 8 or 16 columns of one row. */
export const aqlmTensors: QuantizationMethod = (settings, tensors, what) => {
  const layout: CodebookLayout = {
    kind: "codebook",
    books: oneOf(settings, ["num_codebooks"], [1, 2, 3, 4], what),
    bits: oneOf(settings, ["nbits_per_codebook"], BITS, what),
    vector: oneOf(settings, ["in_group_size"], [8, 16] as const, what),
  };
  oneOf({ out_group_size: 1, ...settings }, ["out_group_size"], [1], what);
  return linearLayers(tensors, [".codes"], (wanted) => openLinear(tensors, layout, wanted));
};

const BITS = Array.from({ length: 16 }, (_, i) => i + 1);

function openLinear(
  tensors: StoredTensors,
  layout: CodebookLayout,
  wanted: WantedTensor,
): TensorSource {
  const { stored, rows, columns } = wanted;
  const format = formatOfLayout(layout, stored);
  const { books, bits, vector, entries, width } = codebookShape(layout);
  const integers = [width === 8 ? "I8" : "I16"] as const;
  const codes = planeOf(tensors, `${stored}.codes`, integers, [rows, columns / vector, books]);
  const codebooks = planeOf(tensors, `${stored}.codebooks`, FLOATS, [books, entries, 1, vector]);
  const scales = planeOf(tensors, `${stored}.scales`, FLOATS, [rows, 1, 1, 1]);
  format.rowBytes(columns);
  return wholeTensor(
    wanted,
    {
      format,
      stored: { scales: storedFloats(scales, (row) => row), codebook: storedFloats(codebooks) },
    },
    async () =>
      aqlmToPacked({
        codes: await bytesOf(codes),
        codebooks: await halvesOf(codebooks),
        scales: await halvesOf(scales),
      }, { books, bits, vector, rows, columns, name: stored }),
  );
}
