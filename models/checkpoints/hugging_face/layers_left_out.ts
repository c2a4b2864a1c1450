/**
 * Folders with more layers than their configuration says.
 *
 * @module
 */

import type { Note } from "../../config/config_keys.ts";

/** As transformers does: of a file with more layers than the configuration the first are the model. */
export function noteLayersLeftOut(
  names: Iterable<string>,
  layers: number,
  configName: string,
  note: Note,
): void {
  const left = new Set<number>();
  for (const name of names) {
    const layer = Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? 0);
    if (layer >= layers) left.add(layer);
  }
  if (left.size === 0) return;
  note(
    `"${configName}": num_hidden_layers is ${layers}, the file has ${left.size} more; they are left out`,
  );
}
