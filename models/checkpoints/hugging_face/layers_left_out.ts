/**
 * Folders with more layers than their configuration gives.
 *
 * @module
 */

import type { ModelConfig } from "../../model_config.ts";
import type { Note } from "../../config/config_keys.ts";
import type { FolderNames } from "../folder_names.ts";

/** Notes additional layers, which are ignored as in transformers: the model consists of the first `num_hidden_layers` layers of the file. */
export function noteLayersLeftOut(
  stored: Iterable<string>,
  { layerOf }: FolderNames,
  { layers }: ModelConfig,
  configName: string,
  note: Note,
): void {
  const left = new Set<number>();
  for (const name of stored) {
    const layer = layerOf(name) ?? 0;
    if (layer >= layers) left.add(layer);
  }
  if (left.size === 0) return;
  note(
    `"${configName}": num_hidden_layers is ${layers}, the file has ${left.size} more; they are left out`,
  );
}
