/**
 * Rows of a tensor that lie in a file one behind the other.
 *
 * @module
 */

import type { ByteSource } from "../../quant/files/byte_source.ts";
import type { Format } from "../../quant/formats/format.ts";
import { forCaller, type TensorSource } from "./checkpoint.ts";

/** Reads rows of `columns` elements whose first begins at `offset`. */
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
