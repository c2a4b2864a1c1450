/**
 * The id of a tensor in the counter of the noise generator.
 *
 * @module
 */
import { crc32 } from "node:zlib";

/**
 * The CRC-32 of a tensor's name in UTF-8, a u32.
 *
 * @example CRC-32's check value
 * ```ts
 * import { tensorId } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(tensorId("123456789"), 0xcbf43926);
 * ```
 */
export function tensorId(name: string): number {
  return crc32(name);
}
