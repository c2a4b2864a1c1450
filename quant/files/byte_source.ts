/**
 * Where the bytes of a model file come from: a file, a blob, a buffer. Readers take pieces, so that host memory stays small
 * whatever the size of the file.
 *
 * @module
 */

import type { PieceMemory } from "../piece_memory.ts";

/** Random access to the bytes of one file. */
export interface ByteSource {
  /** What to call it in an error message: usually the path. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Reads exactly `length` bytes from `offset`, which are the caller's to keep, change and give away; rejects with a RangeError when they
   * lie outside the file. `memory`, where it is given, is what they may be read into.
   */
  read(offset: number, length: number, memory?: PieceMemory): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * A source over bytes in memory.
 *
 * @example Read two bytes
 * ```ts
 * import { bytesSource } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const source = bytesSource(new Uint8Array([1, 2, 3]), "three");
 * assertEquals(await source.read(1, 2), new Uint8Array([2, 3]));
 * ```
 */
export function bytesSource(bytes: Uint8Array<ArrayBuffer>, name = "bytes"): ByteSource {
  return {
    name,
    size: bytes.length,
    read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
        return Promise.reject(
          new RangeError(
            `Cannot read ${length} bytes at ${offset} of "${name}": it has ${bytes.length} bytes`,
          ),
        );
      }
      return Promise.resolve(bytes.slice(offset, offset + length));
    },
  };
}
