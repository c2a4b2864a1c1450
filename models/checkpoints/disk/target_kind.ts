/**
 * The kind of output that a path asks for.
 *
 * @module
 */

/** A GGUF file, a safetensors file (an adapter), or a folder. */
export type TargetKind = "gguf" | "safetensors" | "folder";

/**
 * The kind of output that a path asks for, from its extension. Case is ignored.
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
