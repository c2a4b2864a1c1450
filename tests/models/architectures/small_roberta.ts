/**
 * Small random RoBERTa and BERT models as the library loads them, and what the f64 oracle says of them.
 *
 * @module
 */
import { join } from "@std/path";
import type { Example } from "../../../models/mod.ts";
import { type SafetensorsTensorData, writeSafetensors } from "../../../quant/mod.ts";
import { classificationLoss, languageModellingLoss } from "../../reference/losses.ts";
import {
  headNames,
  insideName,
  robertaLogits,
  type RobertaShape,
  type RobertaWeights,
} from "../../reference/roberta.ts";
import { logSoftmax } from "../../reference/softmax_nll.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { type StoredLinear, tensorData } from "../quantised_folder.ts";
import { randomTokens } from "../small_model.ts";

/** Two layers, sizes that are no powers of two; 62 positions for tokens. */
export const smallRoberta: RobertaShape = {
  kind: "roberta",
  hidden: 96,
  layers: 2,
  feedForward: 160,
  heads: 4,
  vocabulary: 290,
  positions: 64,
};

/** With two token types, as BERT's files. */
export const smallBert: RobertaShape = { ...smallRoberta, kind: "bert", types: 2 };

/** Random f32 weights under the names of a folder; gains near 1, biases, positions and types that count. */
export function randomRoberta(
  shape: RobertaShape,
  { seed = 1, tied = true }: { readonly seed?: number; readonly tied?: boolean } = {},
): Record<string, Float32Array<ArrayBuffer>> {
  const random = randomNumbers(seed);
  const { kind, hidden, feedForward, vocabulary, positions, types = 1 } = shape;
  const weights: Record<string, Float32Array<ArrayBuffer>> = {};
  const matrix = (name: string, outputs: number, inputs: number, scale = inputs ** -0.5): void => {
    weights[name] = randomNormals(outputs * inputs, scale, random);
  };
  const linear = (name: string, outputs: number, inputs: number): void => {
    matrix(`${name}.weight`, outputs, inputs);
    weights[`${name}.bias`] = randomNormals(outputs, 0.3, random);
  };
  const norm = (name: string): void => {
    weights[`${name}.weight`] = randomNormals(hidden, 0.2, random).map((value) => 1 + value);
    weights[`${name}.bias`] = randomNormals(hidden, 0.3, random);
  };
  matrix(`${kind}.embeddings.word_embeddings.weight`, vocabulary, hidden);
  matrix(`${kind}.embeddings.position_embeddings.weight`, positions, hidden);
  matrix(`${kind}.embeddings.token_type_embeddings.weight`, types, hidden);
  norm(`${kind}.embeddings.LayerNorm`);
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `${kind}.encoder.layer.${layer}`;
    for (const it of ["query", "key", "value"]) {
      linear(`${at}.attention.self.${it}`, hidden, hidden);
    }
    linear(`${at}.attention.output.dense`, hidden, hidden);
    norm(`${at}.attention.output.LayerNorm`);
    linear(`${at}.intermediate.dense`, feedForward, hidden);
    linear(`${at}.output.dense`, hidden, feedForward);
    norm(`${at}.output.LayerNorm`);
  }
  const head = headNames(kind);
  linear(head.transform, hidden, hidden);
  norm(head.norm);
  if (!tied) matrix(head.table, vocabulary, hidden);
  weights[head.bias] = randomNormals(vocabulary, 0.3, random);
  return weights;
}

/** The dimensions of a tensor. */
export function robertaDimensions(
  { hidden, feedForward }: RobertaShape,
  name: string,
  length: number,
): number[] {
  if (/bias$|LayerNorm|layer_norm/.test(name)) return [length];
  const inputs = /layer\.\d+\.output\.dense/.test(name) ? feedForward : hidden;
  return [length / inputs, inputs];
}

/** The `config.json` of a shape, as transformers writes it. */
export function robertaConfig(shape: RobertaShape, tied = true): Record<string, unknown> {
  const { kind } = shape;
  const padding = shape.padding ?? (kind === "roberta" ? 1 : 0);
  return {
    architectures: [kind === "roberta" ? "RobertaForMaskedLM" : "BertForMaskedLM"],
    attention_probs_dropout_prob: 0.1,
    ...kind === "roberta" ? { bos_token_id: 0, eos_token_id: 2 } : {},
    classifier_dropout: null,
    gradient_checkpointing: false,
    hidden_act: shape.activation ?? "gelu",
    hidden_dropout_prob: 0.1,
    hidden_size: shape.hidden,
    initializer_range: 0.02,
    intermediate_size: shape.feedForward,
    layer_norm_eps: shape.epsilon ?? 1e-5,
    max_position_embeddings: shape.positions,
    model_type: kind,
    num_attention_heads: shape.heads,
    num_hidden_layers: shape.layers,
    pad_token_id: padding,
    position_embedding_type: "absolute",
    ...tied ? {} : { tie_word_embeddings: false },
    torch_dtype: "float32",
    transformers_version: "4.46.0",
    type_vocab_size: shape.types ?? 1,
    use_cache: true,
    vocab_size: shape.vocabulary,
  };
}

/** Linear layers of blocks, as programs that quantise choose them. */
export const isRobertaLinear = (stored: string): boolean =>
  /encoder\.layer\..*(query|key|value|dense)\.weight$/.test(stored);

/** How a folder is written. */
export interface RobertaFolder {
  readonly seed?: number;
  readonly tied?: boolean;
  /** Set in `config.json`. */
  readonly config?: Record<string, unknown>;
  /** Stores linear layers of blocks. */
  readonly linear?: (
    module: string,
    rows: number,
    columns: number,
    seed: number,
  ) => StoredLinear;
  /** What becomes of a name. */
  readonly rename?: (name: string) => string;
  /** Tensors beside the model's. */
  readonly more?: readonly SafetensorsTensorData[];
}

/** Writes a folder. What the tensors decode to. */
export async function writeRobertaFolder(
  folder: string,
  shape: RobertaShape,
  options: RobertaFolder = {},
): Promise<Record<string, ArrayLike<number>>> {
  const { linear, more = [], rename = (name: string) => name } = options;
  const tensors: SafetensorsTensorData[] = [...more];
  const weights: Record<string, ArrayLike<number>> = {};
  for (const [name, values] of Object.entries(randomRoberta(shape, options))) {
    const dimensions = robertaDimensions(shape, name, values.length);
    if (linear && isRobertaLinear(name)) {
      const [rows, columns] = dimensions;
      const stored = linear(name.slice(0, -".weight".length), rows, columns, tensors.length);
      weights[name] = stored.weights;
      tensors.push(...stored.tensors.filter((it) => !it.name.endsWith(".bias")));
    } else {
      weights[name] = values;
      tensors.push(tensorData(rename(name), "F32", dimensions, values));
    }
  }
  const json = { ...robertaConfig(shape, options.tied ?? true), ...options.config };
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
  const stream = ReadableStream.from(writeSafetensors(tensors));
  await Deno.writeFile(join(folder, "model.safetensors"), stream);
  return weights;
}

/** Texts of which some places are to be predicted. */
export function maskedTexts(vocabulary: number, lengths: readonly number[]): Example[] {
  return lengths.map((length, i) => {
    const prompt = randomTokens(vocabulary, length, 400 + i);
    const masked = prompt.map((_, place) => place).filter((place) => place % 4 === i % 4);
    return {
      prompt,
      candidates: [randomTokens(vocabulary, masked.length, 500 + i)],
      label: 0,
      masked,
    };
  });
}

/** Texts with one masked place and words that may stand there. */
export function maskedChoices(vocabulary: number, lengths: readonly number[]): Example[] {
  return lengths.map((length, i) => ({
    prompt: randomTokens(vocabulary, length, 600 + i),
    candidates: [7 + i, 90 + i, 211 - i].slice(0, 2 + i % 2).map((token) => [token]),
    label: i % 2,
    masked: [(5 * i + 2) % length],
  }));
}

/** The loss of a batch by the oracle: the candidates' tokens at the masked places. */
export function robertaLoss(
  shape: RobertaShape,
  weights: RobertaWeights,
  examples: readonly Example[],
  objective: "language-modelling" | "classification",
): number {
  const scored = examples.map(({ prompt, candidates, label, masked = [] }) => {
    const logits = robertaLogits(shape, weights, prompt);
    const rows = masked.map((place) =>
      logSoftmax(logits.subarray(place * shape.vocabulary, (place + 1) * shape.vocabulary))
    );
    return { candidates: candidates.map((ids) => ids.map((id, i) => rows[i][id])), label };
  });
  if (objective === "classification") return classificationLoss(scored);
  return languageModellingLoss(scored.flatMap((it) => it.candidates.flat()));
}

export { insideName, robertaLogits, type RobertaShape };
