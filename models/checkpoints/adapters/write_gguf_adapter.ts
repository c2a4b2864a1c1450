/**
 * Writes a LoRA adapter as a GGUF file that llama.cpp can load with a model.
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
 * Rejects an adapter that a GGUF file cannot express. It should be called before training.
 *
 * @throws {RangeError} when it cannot be written. The message says why, and what to write instead.
 */
export function assertGgufAdapter(
  { config, adapter: { scheme, plan, replaced } }: Pick<AdapterToWrite, "adapter"> & {
    readonly config: ModelConfig;
  },
): void {
  const refuse = (why: string) =>
    new RangeError(
      `Cannot write an adapter as GGUF: ${why}; write a folder instead, which PEFT and this library can read`,
    );
  const { name, gguf, noGguf = "llama.cpp does not support this architecture" } = architectureOf(
    config,
  );
  if (!gguf) throw refuse(`the model is of architecture "${name}", and ${noGguf}`);
  if (scheme !== "lora") throw refuse(`llama.cpp supports only LoRA, not ${scheme}`);
  const [own] = replaced?.keys() ?? [];
  if (own !== undefined) {
    throw refuse(
      `the adapter includes "${own}" of the base, which llama.cpp does not read from an adapter`,
    );
  }
  const biased = (plan as LoraPlan).matrices.find(({ bias }) => bias);
  if (biased) {
    throw refuse(`llama.cpp does not support a bias next to B, which "${biased.matrix}" has`);
  }
}

/** Multiplies the values of B by a factor. */
function scaled(values: Float32Array<ArrayBuffer>, factor: number): Float32Array<ArrayBuffer> {
  return factor === 1 ? values : values.map((value) => value * factor);
}

/**
 * Writes a LoRA adapter, with trained offsets applied, as a GGUF file of F32 tensors that llama.cpp and this library read. The file has a single
 * alpha: if matrices have different ones, B is multiplied by the ratio.
 *
 * @throws {RangeError} when the adapter has another scheme or biases, or llama.cpp does not support its architecture.
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
