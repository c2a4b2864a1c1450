/**
 * The f64 oracle of RoBERTa and BERT over a sequence, with the head that predicts masked tokens: written from their papers (arXiv 1907.11692,
 * 1810.04805) and from plain operations.
 *
 * @module
 */
import { attention } from "./attention.ts";
import { gelu, geluTanh } from "./gelu.ts";
import { layerNorm } from "./layer_norm.ts";
import { matmul } from "./matmul.ts";
import { namedLayers } from "./named_layers.ts";

/** Sizes and variants of a model. */
export interface RobertaShape {
  /** Whose names and whose positions. */
  readonly kind: "roberta" | "bert";
  readonly hidden: number;
  readonly layers: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Rows of the table of positions, those of no position among them. */
  readonly positions: number;
  /** Rows of the table of token types. Default 1. */
  readonly types?: number;
  /** Default 1 for RoBERTa, 0 for BERT. */
  readonly padding?: number;
  /** As transformers names it. Default gelu. */
  readonly activation?: "gelu" | "gelu_new" | "relu";
  /** Default 1e-5. */
  readonly epsilon?: number;
}

/** Weights by name. */
export type RobertaWeights = Readonly<Record<string, ArrayLike<number>>>;

const INSIDE: readonly (readonly [RegExp, string])[] = [
  [/^(roberta|bert)\.encoder\.layer\.(\d+)\./, "blk.$2."],
  [/^(roberta|bert)\.embeddings\./, ""],
  [/^word_embeddings/, "token_embd"],
  [/^position_embeddings/, "position_embd"],
  [/^token_type_embeddings/, "token_types"],
  [/^LayerNorm/, "token_embd_norm"],
  [/attention\.self\.query/, "attn_q"],
  [/attention\.self\.key/, "attn_k"],
  [/attention\.self\.value/, "attn_v"],
  [/attention\.output\.dense/, "attn_output"],
  [/attention\.output\.LayerNorm/, "attn_output_norm"],
  [/intermediate\.dense/, "ffn_up"],
  [/^(blk\.\d+)\.output\.dense/, "$1.ffn_down"],
  [/^(blk\.\d+)\.output\.LayerNorm/, "$1.layer_output_norm"],
  [/^lm_head\.dense|^cls\.predictions\.transform\.dense/, "output_transform"],
  [/^lm_head\.layer_norm|^cls\.predictions\.transform\.LayerNorm/, "output_norm"],
  [/^(lm_head|cls\.predictions)\.decoder/, "output"],
  [/^(lm_head|cls\.predictions)\.bias/, "output.bias"],
];

/** What the library calls a tensor of a folder: `blk.0.ffn_up.bias` for `roberta.encoder.layer.0.intermediate.dense.bias`. */
export function insideName(stored: string): string {
  return INSIDE.reduce((name, [from, to]) => name.replace(from, to), stored);
}

/** The names in folders of the head's parts. */
export function headNames(kind: RobertaShape["kind"]): {
  readonly transform: string;
  readonly norm: string;
  readonly table: string;
  readonly bias: string;
} {
  return kind === "roberta"
    ? {
      transform: "lm_head.dense",
      norm: "lm_head.layer_norm",
      table: "lm_head.decoder.weight",
      bias: "lm_head.bias",
    }
    : {
      transform: "cls.predictions.transform.dense",
      norm: "cls.predictions.transform.LayerNorm",
      table: "cls.predictions.decoder.weight",
      bias: "cls.predictions.bias",
    };
}

/**
 * Logits `[tokens][vocabulary]` of a sequence without padding: of every place, as the head would predict it. Weights by the names of folders
 * or those inside; without a table of the head's own that of tokens is the head's.
 *
 * @param onInput Told what each linear layer multiplies, by name inside
 */
export function robertaLogits(
  shape: RobertaShape,
  weights: RobertaWeights,
  tokens: readonly number[],
  onInput: (name: string, x: Float64Array) => void = () => {},
): Float64Array {
  const { kind, hidden, heads, feedForward, vocabulary } = shape;
  const rows = tokens.length;
  const { find, table, linear } = namedLayers(weights, { rows, insideName, onInput });
  const norm = (x: Float64Array, name: string) =>
    layerNorm(x, table(`${name}.weight`), table(`${name}.bias`), hidden, shape.epsilon ?? 1e-5);
  const activation = {
    gelu,
    gelu_new: geluTanh,
    relu: (value: number) => Math.max(0, value),
  }[shape.activation ?? "gelu"];
  const plus = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]);

  const words = table(`${kind}.embeddings.word_embeddings.weight`);
  const places = table(`${kind}.embeddings.position_embeddings.weight`);
  const types = table(`${kind}.embeddings.token_type_embeddings.weight`);
  const first = kind === "roberta" ? (shape.padding ?? 1) + 1 : 0;
  const sum = new Float64Array(rows * hidden);
  tokens.forEach((token, m) => {
    for (let k = 0; k < hidden; k++) {
      sum[m * hidden + k] = words[token * hidden + k] + types[k] +
        places[(first + m) * hidden + k];
    }
  });
  let x = norm(sum, `${kind}.embeddings.LayerNorm`);
  // Every row sees all: the rows of a prefix that is the whole, and none of its own.
  const seen = tokens.map((_, m) => ({ prefixStart: 0, prefixEnd: rows, ownStart: m + 1 }));
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `${kind}.encoder.layer.${layer}`;
    const [q, k, v] = ["query", "key", "value"].map((it) =>
      linear(x, `${at}.attention.self.${it}`, hidden, hidden)
    );
    const size = { branches: 1, heads, kvHeads: heads, headSize: hidden / heads };
    const mixed = attention(size, seen, q, k, v);
    const attended = linear(mixed, `${at}.attention.output.dense`, hidden, hidden);
    x = norm(plus(x, attended), `${at}.attention.output.LayerNorm`);
    const up = linear(x, `${at}.intermediate.dense`, hidden, feedForward).map(activation);
    x = norm(
      plus(x, linear(up, `${at}.output.dense`, feedForward, hidden)),
      `${at}.output.LayerNorm`,
    );
  }
  const head = headNames(kind);
  const transformed = linear(x, head.transform, hidden, hidden)
    .map(kind === "roberta" ? gelu : activation);
  const last = norm(transformed, head.norm);
  onInput("output.weight", last);
  const own = find(head.table) ?? words;
  const size = { branches: 1, rows, inputs: hidden, outputs: vocabulary };
  return matmul(size, [own], last, table(head.bias), null);
}
