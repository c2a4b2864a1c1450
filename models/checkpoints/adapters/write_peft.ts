/**
 * A LoRA adapter as a folder that PEFT reads.
 *
 * @module
 */

import { join } from "@std/path";
import { type SafetensorsTensorData, writeSafetensors } from "../../../quant/files/safetensors.ts";
import { type LoraMatrix, loraNames, type LoraPlan } from "../../adapters/lora.ts";
import { modulePath, targetsOf } from "../../adapters/module_patterns.ts";
import { weightsOf } from "../../architectures.ts";
import type { Weight } from "../../architecture.ts";
import { writeFileWhole } from "../disk/files.ts";
import { writeFolderWhole } from "../disk/write_together.ts";
import { upToFile } from "./adapter_rows.ts";
import { BASE_KEY, PEFT_CONFIG, PEFT_PREFIX, PEFT_WEIGHTS } from "./open_peft.ts";
import { writePeftPrompt } from "./peft_prompt.ts";
import { type AdapterToWrite, tunedAdapter } from "./tuned_adapter.ts";

type Floats = Float32Array<ArrayBuffer>;

/** Alpha of a matrix: without the last bits that a quotient left. */
export function alphaOf({ rank, scale }: LoraMatrix): number {
  const alpha = scale * rank;
  const whole = Math.round(alpha);
  return Math.abs(alpha - whole) < 1e-9 * Math.abs(alpha) ? whole : alpha;
}

/** The value that most have, and the others by a pattern for their module's path. */
export function withPatterns(
  values: ReadonlyMap<string, number>,
): { readonly usual: number; readonly pattern: Record<string, number> } {
  const counts = new Map<number, number>();
  for (const value of values.values()) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [[usual]] = [...counts].toSorted(([, a], [, b]) => b - a);
  const pattern = [...values].filter(([, value]) => value !== usual)
    .map(([path, value]) => [path.replaceAll(".", "\\."), value]);
  return { usual, pattern: Object.fromEntries(pattern) };
}

/** Names that stand for just these modules: last parts of their paths where that is so, else the paths. */
function targetModules(all: readonly Weight[], chosen: readonly Weight[]): string[] {
  const ends = [...new Set(chosen.map((it) => modulePath(it).split(".").at(-1)!))];
  const isTarget = targetsOf(ends);
  const meant = all.filter((it) => isTarget(it));
  return meant.length === chosen.length ? ends : chosen.map(modulePath);
}

/** `adapter_config.json`. */
function configOf({ config, adapter, baseName }: AdapterToWrite): Record<string, unknown> {
  const all = weightsOf(config).filter(({ role }) => role === "matrix" || role === "head");
  const byName = new Map(all.map((weight) => [weight.name, weight]));
  const { matrices } = adapter.plan as LoraPlan;
  const chosen = matrices.map(({ matrix }) => byName.get(matrix)!);
  const numbers = (of: (one: LoraMatrix) => number) =>
    withPatterns(new Map(matrices.map((one, i) => [modulePath(chosen[i]), of(one)])));
  const ranks = numbers(({ rank }) => rank);
  const alphas = numbers(alphaOf);
  return {
    alpha_pattern: alphas.pattern,
    base_model_name_or_path: baseName,
    bias: "none",
    fan_in_fan_out: chosen.every(({ transposed }) => transposed === true),
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: alphas.usual,
    ...matrices.some(({ bias }) => bias) ? { lora_bias: true } : {},
    lora_dropout: 0.0,
    modules_to_save: null,
    peft_type: "LORA",
    r: ranks.usual,
    rank_pattern: ranks.pattern,
    target_modules: targetModules(all, chosen),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: false,
  };
}

/**
 * Writes an adapter, with what training added, as a folder that PEFT and this library read. Tensors are F32; the fingerprint of the base
 * is in the metadata of the safetensors file.
 *
 * @throws {RangeError} For an adapter of a scheme that PEFT's folders have no form for
 */
export async function writePeft(path: string, written: AdapterToWrite): Promise<void> {
  const { config, adapter, base } = written;
  if (adapter.scheme === "prefix" || adapter.scheme === "prompt") {
    return await writePeftPrompt(path, written);
  }
  if (adapter.scheme !== "lora") {
    throw new RangeError(
      `Cannot write an adapter of scheme ${adapter.scheme} for PEFT: PEFT has no such scheme`,
    );
  }
  const values = tunedAdapter(written);
  const weights = new Map(weightsOf(config).map((weight) => [weight.name, weight]));
  const tensors = (adapter.plan as LoraPlan).matrices.flatMap(({ matrix, rank, bias }) => {
    const weight = weights.get(matrix)!;
    const { down, up, bias: added } = loraNames(matrix);
    const stem = PEFT_PREFIX + modulePath(weight);
    const of = (name: string, shape: readonly number[], own: Floats): SafetensorsTensorData => ({
      name: `${stem}.${name}`,
      dtype: "F32",
      shape,
      bytes: new Uint8Array(own.buffer, own.byteOffset, own.byteLength),
    });
    return [
      of("lora_A.weight", [rank, weight.columns], values.get(down)!),
      of("lora_B.weight", [weight.rows, rank], upToFile(values.get(up)!, weight, false)),
      ...bias
        ? [of("lora_B.bias", [weight.rows], upToFile(values.get(added)!, weight, false))]
        : [],
    ];
  });
  await writeFolderWhole(path, PEFT_CONFIG, async (folder) => {
    const metadata = { format: "pt", [BASE_KEY]: base };
    await writeFileWhole(join(folder, PEFT_WEIGHTS), writeSafetensors(tensors, metadata));
    const json = `${JSON.stringify(configOf(written), null, 2)}\n`;
    await writeFileWhole(join(folder, PEFT_CONFIG), [new TextEncoder().encode(json)]);
  });
}
