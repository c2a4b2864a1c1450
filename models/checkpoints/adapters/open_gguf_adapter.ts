/**
 * Reads a LoRA adapter from a GGUF file as written by llama.cpp's `convert_lora_to_gguf.py`.
 *
 * @module
 */

import {
  formatOfGgufTensor,
  type GgufFile,
  type GgufTensor,
  readGguf,
} from "../../../quant/files/gguf.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import { type LoraMatrix, loraNames, type LoraPlan } from "../../adapters/lora_plan.ts";
import { architectureOf } from "../../architectures.ts";
import type { Weight } from "../../architecture.ts";
import { shown } from "../../config/config_keys.ts";
import type { ModelConfig } from "../../model_config.ts";
import { type FileSource, openFile } from "../disk/files.ts";
import { upFromFile } from "./adapter_rows.ts";
import { BASE_KEY, type OpenedAdapter } from "./open_peft.ts";

type Floats = Float32Array<ArrayBuffer>;

/** Metadata keys that describe the adapter. */
export const GGUF_ADAPTER_KEYS = {
  type: "general.type",
  architecture: "general.architecture",
  kind: "adapter.type",
  alpha: "adapter.lora.alpha",
  baseName: "general.base_model.0.name",
} as const;

/** Other keys about adapters, which do not affect the result. */
const HARMLESS = ["adapter.lora.task_name", "adapter.lora.prompt_prefix"];

/** The alpha of a file. @throws {RangeError} when the file is not a LoRA adapter or is for another architecture. */
function alphaOf({ metadata }: GgufFile, name: string, architecture: string): number {
  const refuse = (why: string) => new RangeError(`Cannot read "${name}": ${why}`);
  const value = (key: keyof typeof GGUF_ADAPTER_KEYS) => metadata.get(GGUF_ADAPTER_KEYS[key]);
  if (value("type") !== "adapter") {
    throw refuse(
      `general.type is ${
        shown(value("type"))
      }, expected "adapter"; pass a model as the model instead`,
    );
  }
  if (value("kind") !== "lora") {
    throw refuse(`adapter.type is ${shown(value("kind"))}, only "lora" is supported`);
  }
  if (value("architecture") !== architecture) {
    throw refuse(
      `it was made for architecture ${
        shown(value("architecture"))
      }, but this model is "${architecture}"; adapters fit only their own architecture`,
    );
  }
  if (metadata.has("adapter.alora.invocation_tokens")) {
    throw refuse("adapter.alora.invocation_tokens: it applies only after certain tokens");
  }
  const known: readonly string[] = [...Object.values(GGUF_ADAPTER_KEYS), ...HARMLESS];
  const other = [...metadata.keys()].find((key) => /^adapter\./.test(key) && !known.includes(key));
  if (other !== undefined) {
    throw refuse(`${shown(other)} is not a known key and may change the result`);
  }
  const alpha = value("alpha");
  if (typeof alpha !== "number" || !Number.isFinite(alpha)) {
    throw refuse(`adapter.lora.alpha is ${shown(alpha)}, expected a number`);
  }
  return alpha;
}

/** The values of a tensor with two dimensions. */
async function floatsOf(source: FileSource, tensor: GgufTensor): Promise<Floats> {
  const [columns, rows] = tensor.dimensions;
  const format = formatOfGgufTensor(tensor);
  const bytes = await source.read(tensor.offset, tensor.byteLength);
  const values = decode(format.unpack(bytes, rows, columns));
  if (values.every(Number.isFinite)) return values;
  throw new RangeError(
    `Cannot read "${source.name}": tensor ${shown(tensor.name)} has a value that is not finite`,
  );
}

/** Why a tensor was not used. */
function whyForeign(name: string, matrices: ReadonlyMap<string, Weight>): string {
  const [, matrix, suffix] = /^(.*)\.(lora_[ab])$/.exec(name) ?? [];
  if (matrix === undefined) return "is neither a lora_a nor a lora_b";
  if (matrices.has(matrix)) return `has no matching ${suffix === "lora_a" ? "lora_b" : "lora_a"}`;
  if (matrix === "token_embd.weight") return "is LoRA on the embedding, which is not supported";
  return "does not belong to any matrix of this model";
}

/**
 * Reads a LoRA adapter of llama.cpp for a model. A and B are converted to f32, and the rows of B are put into the model's order.
 *
 * @throws {SyntaxError} when the file is damaged.
 * @throws {RangeError} when it is not a LoRA adapter, is for another architecture, or does not fit the model.
 */
export async function openGgufAdapter(
  path: string,
  { config }: { readonly config: ModelConfig },
): Promise<OpenedAdapter> {
  using source = await openFile(path, "adapter");
  const file = await readGguf(source);
  const architecture = architectureOf(config);
  const alpha = alphaOf(file, source.name, architecture.name);
  const linear = architecture.weights(config)
    .filter(({ role }) => role === "matrix" || role === "head");
  const left = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  const matrices: LoraMatrix[] = [];
  const values = new Map<string, Floats>();
  for (const weight of linear) {
    const { down, up } = loraNames(weight.name);
    const [a, b] = [left.get(down), left.get(up)];
    if (!a || !b) continue;
    const rank = b.dimensions[0];
    for (
      const [{ name, dimensions }, wanted] of [
        [a, [weight.columns, rank]],
        [b, [rank, weight.rows]],
      ] as const
    ) {
      // Files may append dimensions of 1.
      const own = [...dimensions, 1, 1].slice(0, Math.max(2, dimensions.length));
      if (own.length !== 2 || own.some((n, i) => n !== wanted[i])) {
        throw new RangeError(
          `Cannot read "${source.name}": ${shown(name)} has dimensions ${
            shown(dimensions)
          }, but the model "${architecture.name}" needs ${shown(wanted)}`,
        );
      }
    }
    left.delete(down);
    left.delete(up);
    // As in llama.cpp: without an alpha, the scale is the one given by the user, which is 1.
    matrices.push({ matrix: weight.name, rank, scale: alpha === 0 ? 1 : alpha / rank });
    values.set(down, await floatsOf(source, { ...a, dimensions: [weight.columns, rank] }));
    const own = await floatsOf(source, { ...b, dimensions: [rank, weight.rows] });
    values.set(up, upFromFile(own, weight, true));
  }
  const norms = [...left.keys()].filter((name) => name.endsWith("_norm.weight"));
  for (const name of norms) left.delete(name);
  const [first] = left.keys();
  if (first !== undefined || matrices.length === 0) {
    const byName = new Map(linear.map((weight) => [weight.name, weight]));
    throw new RangeError(
      `Cannot read "${source.name}": ${
        first === undefined
          ? "it has no lora_a and lora_b"
          : `${shown(first)} ${whyForeign(first, byName)}`
      }`,
    );
  }
  const plan: LoraPlan = { matrices };
  const { metadata } = file;
  const [base, baseName] = [metadata.get(BASE_KEY), metadata.get(GGUF_ADAPTER_KEYS.baseName)];
  return {
    adapter: { scheme: "lora", plan, seed: 0, values },
    base: typeof base === "string" ? base : undefined,
    ...typeof baseName === "string" && baseName !== "" ? { baseName } : {},
    ...norms.length === 0 ? {} : {
      notes: [
        `"${path}": norm weights, such as ${norms[0]}, are ignored, as in llama.cpp`,
      ],
    },
  };
}
