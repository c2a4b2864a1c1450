/**
 * A LoRA adapter as the GGUF file that llama.cpp loads beside a model.
 *
 * @module
 */

import { type GgufTensorData, writeGguf } from "../../../quant/files/gguf_write.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import { alphaOf, withPatterns } from "../../adapters/lora_in_peft.ts";
import { loraNames, type LoraPlan } from "../../adapters/lora_plan.ts";
import { architectureOf, weightsOf } from "../../architectures.ts";
import type { ModelConfig } from "../../model_config.ts";
import { writeFileWhole } from "../disk/files.ts";
import { upToFile } from "./adapter_rows.ts";
import { GGUF_ADAPTER_KEYS } from "./open_gguf_adapter.ts";
import { BASE_KEY } from "./open_peft.ts";
import { type AdapterToWrite, tunedAdapter } from "./tuned_adapter.ts";

/**
 * Refuses an adapter that a GGUF file has no form for: to be asked before training.
 *
 * @throws {RangeError} That says why, and what to write instead
 */
export function assertGgufAdapter(
  { config, adapter: { scheme, plan, replaced } }: Pick<AdapterToWrite, "adapter"> & {
    readonly config: ModelConfig;
  },
): void {
  const refuse = (why: string) =>
    new RangeError(
      `Cannot write an adapter as GGUF: ${why}; write a folder, which PEFT and this library read`,
    );
  const { name, gguf, noGguf = "llama.cpp knows no such architecture" } = architectureOf(config);
  if (!gguf) throw refuse(`the model is of architecture "${name}", and ${noGguf}`);
  if (scheme !== "lora") throw refuse(`llama.cpp has LoRA alone, not ${scheme}`);
  const [own] = replaced?.keys() ?? [];
  if (own !== undefined) {
    throw refuse(
      `the adapter comes with "${own}" of the base, which llama.cpp does not take from one`,
    );
  }
  const biased = (plan as LoraPlan).matrices.find(({ bias }) => bias);
  if (biased) throw refuse(`llama.cpp has no bias beside B, as there is of "${biased.matrix}"`);
}

/** B's values times a number. */
function scaled(values: Float32Array<ArrayBuffer>, factor: number): Float32Array<ArrayBuffer> {
  return factor === 1 ? values : values.map((value) => value * factor);
}

/**
 * Writes a LoRA adapter, with what training added, as one GGUF file of F32 tensors that llama.cpp and this library read. The file has one alpha:
 * where matrices have several, the ratio is multiplied into B.
 *
 * @throws {RangeError} For an adapter of another scheme, one with biases, or an architecture that llama.cpp does not know
 */
export async function writeGgufAdapter(path: string, written: AdapterToWrite): Promise<void> {
  assertGgufAdapter(written);
  const { config, adapter, base, baseName } = written;
  const { matrices } = adapter.plan as LoraPlan;
  const values = tunedAdapter(written);
  const weights = new Map(weightsOf(config).map((weight) => [weight.name, weight]));
  const { usual } = withPatterns(new Map(matrices.map((one) => [one.matrix, alphaOf(one)])));
  // An alpha of 0 would mean a scale of 1.
  const alpha = Math.fround(usual) || 1;
  const type = formatByName("F32").gguf!.type;
  const tensors = matrices.flatMap((one): GgufTensorData[] => {
    const weight = weights.get(one.matrix)!;
    const { down, up } = loraNames(one.matrix);
    const of = (name: string, dimensions: number[], own: Float32Array<ArrayBuffer>) => ({
      ...{ name, dimensions, type },
      bytes: new Uint8Array(own.buffer, own.byteOffset, own.byteLength),
    });
    const factor = alphaOf(one) === usual && usual !== 0 ? 1 : alphaOf(one) / alpha;
    const b = scaled(upToFile(values.get(up)!, weight, true), factor);
    return [
      of(down, [weight.columns, one.rank], values.get(down)!),
      of(up, [one.rank, weight.rows], b),
    ];
  });
  const { name } = architectureOf(config);
  const metadata = {
    [GGUF_ADAPTER_KEYS.architecture]: name,
    [GGUF_ADAPTER_KEYS.type]: "adapter",
    ...baseName === "" ? {} : {
      "general.base_model.count": { type: "uint32", value: 1 } as const,
      [GGUF_ADAPTER_KEYS.baseName]: baseName,
    },
    [GGUF_ADAPTER_KEYS.kind]: "lora",
    [GGUF_ADAPTER_KEYS.alpha]: { type: "float32", value: alpha } as const,
    [BASE_KEY]: base,
  };
  await writeFileWhole(path, writeGguf({ metadata, tensors }));
}
