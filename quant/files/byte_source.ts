/**
 * Random access to the bytes of a model file, whether it is on disk, in a blob or in a buffer. Files are read in
 * pieces, so host memory use does not grow with the size of the file.
 *
 * @module
 */

import type { PieceMemory } from "../piece_memory.ts";

/** Random access to the bytes of one file. */
export interface ByteSource {
  /** Name used in error messages, usually the path. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Reads exactly `length` bytes, starting at `offset`. The caller owns the result. If `memory` is given, the source
   * may read into a buffer taken from it.
   *
   * @throws {RangeError} when the range lies outside the file (the promise rejects).
   */
  read(offset: number, length: number, memory?: PieceMemory): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * A source that reads from bytes in memory.
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
