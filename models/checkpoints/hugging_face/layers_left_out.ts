/**
 * Folders with more layers than their configuration says.
 *
 * @module
 */

import type { ModelConfig } from "../../model_config.ts";
import type { Note } from "../../config/config_keys.ts";
import type { FolderNames } from "../folder_names.ts";

/** As transformers does: of a file with more layers than the configuration the first are the model. */
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
