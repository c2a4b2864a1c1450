/**
 * The parts of a tensor that can be trained, and their names in ledgers and selections.
 *
 * @module
 */

import type { Layout } from "./layout.ts";
import { rulesOf } from "./layout_table.ts";

/**
 * The part of a tensor that offsets tune: its `"scales"` (in a dense tensor, the elements), its `"codebook"` entries,
 * or its `"minima"` (or zero points).
 */
export type TrainedPart = "scales" | "codebook" | "minima";

/** The part besides scales that a layout allows to be trained: its codebook, its minima or zero points, or none. */
export function secondPart(layout: Layout): "codebook" | "minima" | undefined {
  return rulesOf(layout).secondPart(layout);
}

/**
 * The name of a trained part. Scales use the name of the tensor itself.
 *
 * @example A name and its parts
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

/**
 * The tensor and the part that a name made by {@linkcode partName} refers to.
 *
 * @example A name and its parts
 * ```ts
 * import { partName, partOf } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const name = partName("blk.0.attn_q.weight", "minima");
 * assertEquals(partOf(name), { tensor: "blk.0.attn_q.weight", part: "minima" });
 * ```
 */
export function partOf(name: string): { readonly tensor: string; readonly part: TrainedPart } {
  for (const part of ["codebook", "minima"] as const) {
    if (name.endsWith(`.${part}`)) return { tensor: name.slice(0, -part.length - 1), part };
  }
  return { tensor: name, part: "scales" };
}

/**
 * Rejects a part that tensors of a layout do not have.
 *
 * @throws {RangeError} naming the part and the layout.
 */
export function checkPart(layout: Layout, part: TrainedPart): void {
  if (part === "scales" || secondPart(layout) === part) return;
  throw new RangeError(
    `Cannot train the ${part} of a tensor of layout ${
      JSON.stringify(layout)
    }: that layout does not store any`,
  );
}
