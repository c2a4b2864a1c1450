/**
 * The f64 oracle of an OPT forward over a sequence, written from the description of the architecture (Zhang et al. 2022, and what transformers
 * documents of OPTConfig) and from plain operations.
 *
 * @module
 */
import { attention, causalRows } from "./attention.ts";
import { gelu, geluTanh } from "./gelu.ts";
import { layerNorm } from "./layer_norm.ts";
import { matmul } from "./matmul.ts";
import { namedLayers } from "./named_layers.ts";

/** Sizes and variants of a model. */
export interface OptShape {
  readonly hidden: number;
  readonly layers: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Positions; the table has two rows more. */
  readonly context: number;
  /** Of the vocabulary's tables. Default: hidden. */
  readonly embeddingWidth?: number;
  /** Default true. */
  readonly normBefore?: boolean;
  /** Default: where norms stand before. */
  readonly finalNorm?: boolean;
  /** As transformers names it. Default relu. */
  readonly activation?: "relu" | "gelu" | "gelu_new";
}

/** Weights by name. */
export type OptWeights = Readonly<Record<string, ArrayLike<number>>>;

const INSIDE: readonly (readonly [RegExp, string])[] = [
  [/^model\.decoder\.layers\.(\d+)\./, "blk.$1."],
  [/^model\.decoder\.final_layer_norm/, "output_norm"],
  [/^model\.decoder\./, ""],
  [/^lm_head/, "output"],
  [/embed_tokens/, "token_embd"],
  [/embed_positions/, "position_embd"],
  [/self_attn_layer_norm/, "attn_norm"],
  [/final_layer_norm/, "ffn_norm"],
  [/self_attn\.out_proj/, "attn_output"],
  [/self_attn\.([qkv])_proj/, "attn_$1"],
  [/fc1/, "ffn_up"],
  [/fc2/, "ffn_down"],
];

/** What the library calls a tensor of a folder: `blk.0.ffn_up.bias` for `model.decoder.layers.0.fc1.bias`. */
export function insideName(stored: string): string {
  return INSIDE.reduce((name, [from, to]) => name.replace(from, to), stored);
}

/**
 * Logits `[tokens][vocabulary]`. Weights by the names of folders or those inside; what is not there (biases, gains, a head of its own) is not
 * applied.
 *
 * @param onInput Told what each linear layer multiplies, by name inside
 */
export function optLogits(
  shape: OptShape,
  weights: OptWeights,
  tokens: readonly number[],
  onInput: (name: string, x: Float64Array) => void = () => {},
): Float64Array {
  const { hidden, heads, feedForward, vocabulary } = shape;
  const width = shape.embeddingWidth ?? hidden;
  const before = shape.normBefore ?? true;
  const rows = tokens.length;
  const { find, table, linear } = namedLayers(weights, { rows, insideName, onInput });
  const norm = (x: Float64Array, name: string) =>
    layerNorm(x, find(`${name}.weight`), find(`${name}.bias`), hidden, 1e-5);
  const activation = {
    relu: (value: number) => Math.max(0, value),
    gelu,
    gelu_new: geluTanh,
  }[shape.activation ?? "relu"];
  const plus = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]);

  const embedding = table("model.decoder.embed_tokens.weight");
  const positions = table("model.decoder.embed_positions.weight");
  const embedded = new Float64Array(rows * width);
  tokens.forEach((token, m) => {
    for (let k = 0; k < width; k++) embedded[m * width + k] = embedding[token * width + k];
  });
  let x = width === hidden ? embedded : linear(embedded, "model.decoder.project_in", width, hidden);
  x = x.map((value, i) => value + positions[2 * hidden + i]);
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `model.decoder.layers.${layer}`;
    const a = before ? norm(x, `${at}.self_attn_layer_norm`) : x;
    const [q, k, v] = ["q", "k", "v"].map((it) =>
      linear(a, `${at}.self_attn.${it}_proj`, hidden, hidden)
    );
    const size = { branches: 1, heads, kvHeads: heads, headSize: hidden / heads };
    const mixed = attention(size, causalRows(rows), q, k, v);
    x = plus(x, linear(mixed, `${at}.self_attn.out_proj`, hidden, hidden));
    if (!before) x = norm(x, `${at}.self_attn_layer_norm`);
    const f = before ? norm(x, `${at}.final_layer_norm`) : x;
    const up = linear(f, `${at}.fc1`, hidden, feedForward).map(activation);
    x = plus(x, linear(up, `${at}.fc2`, feedForward, hidden));
    if (!before) x = norm(x, `${at}.final_layer_norm`);
  }
  if (before && (shape.finalNorm ?? true)) x = norm(x, "model.decoder.final_layer_norm");
  if (width !== hidden) x = linear(x, "model.decoder.project_out", hidden, width);
  onInput("output.weight", x);
  const head = find("lm_head.weight") ?? embedding;
  return matmul({ branches: 1, rows, inputs: width, outputs: vocabulary }, [head], x, null, null);
}
