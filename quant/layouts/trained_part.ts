/**
 * What of a tensor is trained, and what ledgers and selections call it.
 *
 * @module
 */

import type { Layout } from "./layout.ts";
import { rulesOf } from "./layout_table.ts";

/**
 * A part of a tensor that offsets tune: its `"scales"` (a dense tensor's elements), the entries of its `"codebook"`, or its
 * `"minima"` (or zero points).
 */
export type TrainedPart = "scales" | "codebook" | "minima";

/** What a layout has besides its scales that can be trained: books, minima or zero points of their own, or nothing. */
export function secondPart(layout: Layout): "codebook" | "minima" | undefined {
  return rulesOf(layout).secondPart(layout);
}

/**
 * What a part of a tensor is called where it is trained: scales bear the tensor's own name.
 *
 * @example There and back
 * ```ts
 * import { partName, partOf } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const name = partName("blk.0.attn_q.weight", "codebook");
 * assertEquals(name, "blk.0.attn_q.weight.codebook");
 * assertEquals(partOf(name), { tensor: "blk.0.attn_q.weight", part: "codebook" });
 * assertEquals(partOf("blk.0.attn_q.weight").part, "scales");
 * ```
 */
export function partName(tensor: string, part: TrainedPart): string {
  return part === "scales" ? tensor : `${tensor}.${part}`;
}

/** The tensor and the part that a name of {@linkcode partName} is of. */
export function partOf(name: string): { readonly tensor: string; readonly part: TrainedPart } {
  for (const part of ["codebook", "minima"] as const) {
    if (name.endsWith(`.${part}`)) return { tensor: name.slice(0, -part.length - 1), part };
  }
  return { tensor: name, part: "scales" };
}

/** Refuses a part that tensors of a layout do not have. @throws {RangeError} naming part and layout. */
export function checkPart(layout: Layout, part: TrainedPart): void {
  if (part === "scales" || secondPart(layout) === part) return;
  throw new RangeError(
    `Cannot train the ${part} of a tensor of layout ${
      JSON.stringify(layout)
    }: that layout does not store any`,
  );
}
