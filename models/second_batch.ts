/**
 * Two batches of one step: hybrids by length.
 *
 * @module
 */

import type { PackedBatch } from "./batch.ts";

/**
 * Combines the two batches of a step of `addax`: `batch` for the estimate along noise, and `second` for the exact gradient.
 *
 * @example A long example, and two short ones
 * ```ts
 * import { packBatch, withSecond } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const text = (length: number) => ({ prompt: [], candidates: [Array(length).fill(1)], label: 0 });
 * const [long, short] = [[40], [4, 5]].map((lengths) => packBatch(lengths.map(text), "language-modelling", 64));
 * assertEquals(withSecond(long, short).shape.second, short.shape);
 * ```
 */
export function withSecond(batch: PackedBatch, second: PackedBatch): PackedBatch {
  return { ...batch, shape: { ...batch.shape, second: second.shape }, second };
}
