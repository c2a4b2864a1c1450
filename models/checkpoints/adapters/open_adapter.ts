/**
 * Opens an adapter file of any supported kind for a model.
 *
 * @module
 */

import { join } from "@std/path";
import { fitAdapter } from "../../adapters/adapted.ts";
import { isObject } from "../../config/config_keys.ts";
import type { ModelConfig } from "../../model_config.ts";
import { readJsonFile } from "../disk/read_file.ts";
import { targetKind } from "../disk/target_kind.ts";
import { openGgufAdapter } from "./open_gguf_adapter.ts";
import { isMlx, openMlx } from "./open_mlx.ts";
import { type OpenedAdapter, openPeft, PEFT_CONFIG } from "./open_peft.ts";
import { isPeftPrompt, openPeftPrompt } from "./peft_prompt.ts";

export type { OpenedAdapter } from "./open_peft.ts";

/** Whether a path names an adapter to use with a model, rather than a file of tuned scales to apply to it. */
export function isBesideModel(path: string): boolean {
  return targetKind(path) !== "safetensors";
}

/**
 * Opens an adapter for a model: a PEFT folder with LoRA, IA3, a prefix or a prompt, an mlx-lm folder with LoRA, or a GGUF file of llama.cpp.
 *
 * @param path The folder, or a file that ends in `.gguf`.
 * @param model The model to use it with.
 * @throws {SyntaxError | RangeError} when it is damaged, contains something that is not supported, or does not fit the model.
 *
 * @example Write an adapter and open it again
 * ```ts
 * import { loraAdapter, openAdapter, openModelSource, writePeft } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const { config } = source;
 * const folder = await Deno.makeTempDir();
 * const adapter = loraAdapter(source, { rank: 4 });
 * await writePeft(`${folder}/adapter`, { config, adapter, baseName: "demo", base: "" });
 * const opened = await openAdapter(`${folder}/adapter`, source);
 * assertEquals(opened.adapter.plan, adapter.plan);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function openAdapter(
  path: string,
  model: { readonly config: ModelConfig },
): Promise<OpenedAdapter> {
  const opened = targetKind(path) === "gguf"
    ? await openGgufAdapter(path, model)
    : await openFolder(path, model);
  // Adapters that do not fit the model are rejected here, whichever program wrote them.
  fitAdapter(model.config, opened.adapter);
  return opened;
}

/** Opens a folder according to its settings. */
async function openFolder(
  folder: string,
  { config }: { readonly config: ModelConfig },
): Promise<OpenedAdapter> {
  const settings = await readJsonFile(join(folder, PEFT_CONFIG), "settings");
  if (isObject(settings)) {
    if (isMlx(settings)) return await openMlx(folder, { config, settings });
    if (isPeftPrompt(settings.peft_type)) {
      return await openPeftPrompt(folder, { config, settings });
    }
  }
  return await openPeft(folder, { config });
}

/** A note about an adapter that was trained with a different base model. Undefined if it was trained with this one, or does not say. */
export function otherBaseNote(
  { base, baseName }: Pick<OpenedAdapter, "base" | "baseName">,
  { path, model }: {
    readonly path: string;
    readonly model: { readonly fingerprint: string; readonly name: string };
  },
): string | undefined {
  if (base === undefined || base === model.fingerprint) return undefined;
  return `"${path}" was trained on ${
    baseName === undefined ? "another base" : JSON.stringify(baseName)
  } (fingerprint ${base.slice(0, 18)}…), but the model is "${model.name}" (${
    model.fingerprint.slice(0, 18)
  }…): on a different base, or a different quantisation of it, an adapter performs worse`;
}
