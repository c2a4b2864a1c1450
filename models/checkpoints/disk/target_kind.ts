/**
 * What a path asks for.
 *
 * @module
 */

/** A GGUF file, a safetensors file (an adapter), or a folder. */
export type TargetKind = "gguf" | "safetensors" | "folder";

/**
 * What is to be written to a path, by its ending in any case.
 *
 * @example Three kinds
 * ```ts
 * import { targetKind } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["a.gguf", "A.GGUF", "tuned.safetensors", "tuned"].map(targetKind), ["gguf", "gguf", "safetensors", "folder"]);
 * ```
 */
export function targetKind(path: string): TargetKind {
  const ending = /\.(gguf|safetensors)$/i.exec(path)?.[1].toLowerCase();
  return ending === undefined ? "folder" : ending as TargetKind;
}
