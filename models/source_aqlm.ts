/**
 * Folders quantised with AQLM: each linear layer is `NAME.codes`, `.codebooks` and `.scales`.
 *
 * @module
 */

import { aqlmToPacked } from "../quant/aqlm.ts";
import type { TensorSource } from "./source.ts";
import {
  bytesOf,
  checkNoBias,
  FLOATS,
  formatOfLayout,
  halvesOf,
  linearLayers,
  oneOf,
  planeOf,
  wholeTensor,
} from "./stored_planes.ts";
import type { QuantizationMethod, StoredTensors, WantedTensor } from "./stored_tensors.ts";
import { storedFloats } from "./stored_values.ts";

/** `quant_method` "aqlm": one or two books of 256 8-vectors, one row a group ("1x8" and "2x8"). */
export const aqlmTensors: QuantizationMethod = (settings, tensors, what) => {
  const books = oneOf(settings, ["num_codebooks"], [1, 2], what);
  oneOf(settings, ["nbits_per_codebook"], [8], what);
  oneOf(settings, ["in_group_size"], [8], what);
  oneOf({ out_group_size: 1, ...settings }, ["out_group_size"], [1], what);
  return linearLayers(tensors, [".codes"], (wanted) => openLinear(tensors, books, wanted));
};

async function openLinear(
  tensors: StoredTensors,
  books: number,
  wanted: WantedTensor,
): Promise<TensorSource> {
  const { stored, rows, columns } = wanted;
  const format = formatOfLayout({ kind: "codebook", books }, stored);
  const codes = planeOf(tensors, `${stored}.codes`, ["I8"], [rows, columns / 8, books]);
  const codebooks = planeOf(tensors, `${stored}.codebooks`, FLOATS, [books, 256, 1, 8]);
  const scales = planeOf(tensors, `${stored}.scales`, FLOATS, [rows, 1, 1, 1]);
  format.rowBytes(columns);
  await checkNoBias(tensors, `${stored}.bias`);
  return wholeTensor(
    wanted,
    { format, stored: storedFloats(scales, (row) => row) },
    async () =>
      aqlmToPacked({
        codes: await bytesOf(codes),
        codebooks: await halvesOf(codebooks),
        scales: await halvesOf(scales),
      }, { books, rows, columns, name: stored }),
  );
}
