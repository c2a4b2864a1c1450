/**
 * Rows of a tensor that are stored contiguously in a file.
 *
 * @module
 */

import type { ByteSource } from "../../quant/files/byte_source.ts";
import type { Format } from "../../quant/formats/format.ts";
import { forCaller, type TensorSource } from "./checkpoint.ts";

/** Returns a function that reads rows of `columns` elements. The first row begins at byte `offset` of `source`. */
export function fileRows(
  source: ByteSource,
  offset: number,
  { format, columns }: { readonly format: Format; readonly columns: number },
): TensorSource["read"] {
  const rowBytes = format.rowBytes(columns);
  return forCaller(async (first, rows, memory) => {
    const bytes = await source.read(offset + first * rowBytes, rows * rowBytes, memory);
    const adopted = format.adopt?.(bytes, rows, columns);
    if (adopted) return adopted;
    const packed = format.unpack(bytes, rows, columns, memory);
    memory?.give(bytes);
    return packed;
  });
}
