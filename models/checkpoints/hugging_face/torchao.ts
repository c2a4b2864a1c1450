/**
 * Folders quantised with torchao and saved as safetensors: each linear layer is stored as `NAME._weight_qdata`, `._weight_scale` and, if there are
 * zero points, `._weight_zero_point`.
 *
 * @module
 */

import {
  compressedLayout,
  compressedToPacked,
} from "../../../quant/packings/compressed_tensors.ts";
import { openInt4Rows, openInt4Tiles } from "./torchao_int4.ts";
import type { TensorSource } from "../checkpoint.ts";
import {
  bytesOf,
  FLOATS,
  formatOfLayout,
  halvesOf,
  linearLayers,
  planeOf,
  wholeTensor,
} from "./stored_planes.ts";
import type { QuantizationMethod, StoredTensors, WantedTensor } from "./stored_tensors.ts";
import { storedFloats } from "../stored_values.ts";

/**
 * `quant_method` "torchao": integers of up to 8 bits with one signed byte per code (`Int8Tensor`, `IntxUnpackedToInt8Tensor`), per row or in groups
 * of 32, 64, 128, read as 8 bits; int4 in rows (`Int4Tensor`) and tiles (`Int4TilePackedTo4dTensor`). Settings of activations are ignored.
 * Vendor-specific forms (`Int4PlainInt32Tensor`) and floats are rejected.
 */
export const torchaoTensors: QuantizationMethod = (_settings, tensors) => {
  return linearLayers(tensors, ["._weight_qdata"], (wanted) => openLinear(tensors, wanted));
};

function openLinear(
  tensors: StoredTensors,
  wanted: WantedTensor,
): TensorSource {
  const { stored, rows, columns } = wanted;
  const plane = (suffix: string) => `${stored}._weight_${suffix}`;
  if (tensors.has(plane("act_pre_scale"))) {
    throw new RangeError(`Cannot load tensor "${plane("act_pre_scale")}": it is not supported`);
  }
  const { dtype, shape: dimensions } = tensors.get(plane("qdata"))!;
  if (dtype === "I32" && dimensions.length === 4) return openInt4Tiles(tensors, wanted);
  if ((dtype === "I8" || dtype === "U8") && dimensions.join() === `${rows},${columns / 2}`) {
    return openInt4Rows(tensors, wanted);
  }
  if (dtype !== "I8" || dimensions.join() !== `${rows},${columns}`) {
    throw new RangeError(
      `Cannot load tensor "${
        plane("qdata")
      }": ${dtype} of shape [${dimensions}]; expected one signed byte per code ([${rows}, ${columns}]), two codes per byte, or int4 in tiles`,
    );
  }
  const codes = planeOf(tensors, plane("qdata"), ["I8"], [rows, columns]);
  const groups = tensors.get(plane("scale"))?.shape[1] ?? 1;
  const symmetric = !tensors.has(plane("zero_point"));
  const group = groups === 1 ? -1 : columns / groups;
  const shape = { bits: 8, group, symmetric, rows, columns, name: stored } as const;
  const format = formatOfLayout(compressedLayout(shape), stored);
  const scale = planeOf(tensors, plane("scale"), FLOATS, [rows, groups]);
  const zero = symmetric
    ? undefined
    : planeOf(tensors, plane("zero_point"), ["I8"], [rows, groups]);
  const integers = async (from: typeof codes) => new Int8Array((await bytesOf(from)).buffer);
  const values = storedFloats(scale, (row, g) => row * groups + g);
  return wholeTensor(
    wanted,
    { format, stored: { scales: values } },
    async () =>
      compressedToPacked({
        codes: await integers(codes),
        scales: await halvesOf(scale),
        zeros: zero && await integers(zero),
      }, shape),
  );
}
