/**
 * Unquantised formats, by their GGUF names.
 *
 * @module
 */

import type { Format } from "./format.ts";
import { planeFormat } from "./plane_format.ts";

/** F32, F16 and BF16. */
export const DENSE_FORMATS: readonly Format[] = [
  planeFormat("F32", { kind: "dense", type: "f32" }, { type: 0, blockElements: 1, blockBytes: 4 }),
  planeFormat("F16", { kind: "dense", type: "f16" }, { type: 1, blockElements: 1, blockBytes: 2 }),
  planeFormat(
    "BF16",
    { kind: "dense", type: "bf16" },
    { type: 30, blockElements: 1, blockBytes: 2 },
  ),
];
