/**
 * A trained GPT-2 of 85,296 parameters that sorts letters (llm-viz), and the same in OPT's clothes.
 *
 * @module
 */
import { join } from "@std/path";
import { exists, sharedData } from "../../support/shared_data.ts";

/** A tensor, `[out][in]`. */
export interface Numbers {
  readonly shape: number[];
  readonly values: Float32Array<ArrayBuffer>;
}

/** Its weights by their names in a folder, and inputs with the logits that another forward found. */
export interface Sorter {
  readonly weights: Readonly<Record<string, Numbers>>;
  readonly cases: readonly { readonly ids: number[]; readonly logits: Float32Array }[];
}

/** Undefined where the shared data are missing. */
export async function readSorter(): Promise<Sorter | undefined> {
  const folder = sharedData("models/llm-viz-sorter");
  if (!exists(folder)) return undefined;
  const numbers = async (name: string): Promise<Record<string, Numbers>> => {
    const json = JSON.parse(await Deno.readTextFile(join(folder, name)));
    return Object.fromEntries(
      Object.entries<{ shape: number[]; data: string }>(json)
        .filter(([, { data }]) => data !== undefined)
        .map(([key, { shape, data }]) => {
          const bytes = Uint8Array.from(atob(data), (it) => it.charCodeAt(0));
          return [key, { shape, values: new Float32Array(bytes.buffer) }];
        }),
    );
  };
  const weights = await numbers("gpt-nano-sort-model.json");
  const { idx, lm_head } = await numbers("gpt-nano-sort-t0-partials.json");
  const [batches, length] = idx.shape;
  const cases = Array.from({ length: batches }, (_, b) => ({
    ids: [...idx.values.subarray(b * length, (b + 1) * length)],
    logits: lm_head.values.subarray(b * length * 3, (b + 1) * length * 3),
  }));
  return { weights, cases };
}

/** The names of OPT for those of GPT-2 within a layer; what is not here is left out. */
const LAYER: Readonly<Record<string, string>> = {
  ln_1: "self_attn_layer_norm",
  "attn.c_proj": "self_attn.out_proj",
  ln_2: "final_layer_norm",
  "mlp.c_fc": "fc1",
  "mlp.c_proj": "fc2",
};

/** A GPT-2 by OPT's names: queries, keys and values apart, and two rows of no position before the others. */
export function* asOptFolder(weights: Sorter["weights"]): Generator<[string, Numbers]> {
  for (const [name, { shape, values }] of Object.entries(weights)) {
    const [, layer, part, kind] = /^transformer\.h\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
    const decoder = "model.decoder";
    if (part === "attn.c_attn") {
      const [rows, ...rest] = shape;
      const size = values.length / 3;
      for (const [i, own] of ["q_proj", "k_proj", "v_proj"].entries()) {
        yield [`${decoder}.layers.${layer}.self_attn.${own}.${kind}`, {
          shape: [rows / 3, ...rest],
          values: values.slice(i * size, (i + 1) * size),
        }];
      }
    } else if (part !== undefined && Object.hasOwn(LAYER, part)) {
      yield [`${decoder}.layers.${layer}.${LAYER[part]}.${kind}`, { shape, values }];
    } else if (name === "transformer.wte.weight") {
      yield [`${decoder}.embed_tokens.weight`, { shape, values }];
    } else if (name === "transformer.wpe.weight") {
      const [rows, width] = shape;
      const moved = new Float32Array((rows + 2) * width);
      moved.set(values, 2 * width);
      yield [`${decoder}.embed_positions.weight`, { shape: [rows + 2, width], values: moved }];
    } else if (name.startsWith("transformer.ln_f.")) {
      yield [name.replace("transformer.ln_f", `${decoder}.final_layer_norm`), { shape, values }];
    } else if (name === "lm_head.weight") yield [name, { shape, values }];
  }
}
