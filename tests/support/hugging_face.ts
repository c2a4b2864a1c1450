/**
 * A Hugging Face folder of a small Llama model as the f64 oracle takes it. Trusts its input; independent of the library's
 * readers, so that it can judge them.
 *
 * @module
 */
import { halfToNumber } from "../reference/effective_weights.ts";
import type { Checkpoint } from "./llama2c.ts";

/** The parts of config.json that matter here. */
interface LlamaConfig {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly intermediate_size: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly vocab_size: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
}

/** All tensors of a safetensors file as f32 (F32, F16 or BF16 in the file). */
export function readSafetensors(bytes: Uint8Array<ArrayBuffer>): Record<string, Float32Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const headerLength = Number(view.getBigUint64(0, true));
  const header: Record<string, { dtype: string; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)),
  );
  const tensors: Record<string, Float32Array> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, data_offsets: [start, end] } = entry;
    const width = dtype === "F32" ? 4 : 2;
    const values = tensors[name] = new Float32Array((end - start) / width);
    const patterns = new Uint32Array(values.buffer);
    for (let i = 0, at = 8 + headerLength + start; i < values.length; i++, at += width) {
      if (dtype === "F32") values[i] = view.getFloat32(at, true);
      else if (dtype === "F16") values[i] = halfToNumber(view.getUint16(at, true));
      else patterns[i] = view.getUint16(at, true) << 16;
    }
  }
  return tensors;
}

/** Reads `config.json` and `model.safetensors` of a folder. */
export async function readHuggingFaceFolder(folder: string): Promise<Checkpoint> {
  const config: LlamaConfig = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  return {
    shape: {
      hidden: config.hidden_size,
      layers: config.num_hidden_layers,
      feedForward: config.intermediate_size,
      heads: config.num_attention_heads,
      kvHeads: config.num_key_value_heads,
      vocabulary: config.vocab_size,
      epsilon: config.rms_norm_eps,
      ropeBase: config.rope_theta,
      rope: "neox",
    },
    weights: readSafetensors(await Deno.readFile(`${folder}/model.safetensors`)),
  };
}
