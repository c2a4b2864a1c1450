/**
 * Small random OPT models as the library loads them, and what the f64 oracle says of them.
 *
 * @module
 */
import { assertAlmostEquals } from "@std/assert";
import { join } from "@std/path";
import type { Gpu } from "../../kernels/mod.ts";
import {
  Evaluator,
  type Example,
  loadModel,
  type ModelSource,
  packBatch,
} from "../../models/mod.ts";
import { type SafetensorsTensorData, writeSafetensors } from "../../quant/mod.ts";
import { classificationLoss, languageModellingLoss } from "../reference/losses.ts";
import { insideName, optLogits, type OptShape, type OptWeights } from "../reference/opt.ts";
import { targetLogProbabilities } from "../reference/softmax_nll.ts";
import { randomNormals, randomNumbers } from "../support/random_llama.ts";
import { type StoredLinear, tensorData } from "./quantised_folder.ts";
import { choiceExamples, textExamples, weightsOf } from "./small_model.ts";

/** Two layers, sizes that are no powers of two. */
export const smallOpt: OptShape = {
  hidden: 96,
  layers: 2,
  feedForward: 160,
  heads: 4,
  vocabulary: 290,
  context: 70,
};

/** As OPT-350m: norms behind, a narrower embedding. */
export const narrowOpt: OptShape = { ...smallOpt, normBefore: false, embeddingWidth: 64 };

/** Which tensors a random model has. */
export interface RandomOptOptions {
  readonly seed?: number;
  readonly tied?: boolean;
  readonly biases?: boolean;
  readonly affine?: boolean;
}

/** Random f32 weights under the names of a folder; gains near 1, biases and positions that count. */
export function randomOpt(
  shape: OptShape,
  { seed = 1, tied = true, biases = true, affine = true }: RandomOptOptions = {},
): Record<string, Float32Array<ArrayBuffer>> {
  const random = randomNumbers(seed);
  const { hidden, feedForward, vocabulary, embeddingWidth: width = hidden } = shape;
  const weights: Record<string, Float32Array<ArrayBuffer>> = {};
  const matrix = (name: string, outputs: number, inputs: number): void => {
    weights[`${name}.weight`] = randomNormals(outputs * inputs, inputs ** -0.5, random);
  };
  const linear = (name: string, outputs: number, inputs: number): void => {
    matrix(name, outputs, inputs);
    if (biases) weights[`${name}.bias`] = randomNormals(outputs, 0.3, random);
  };
  const norm = (name: string): void => {
    if (!affine) return;
    weights[`${name}.weight`] = randomNormals(hidden, 0.2, random).map((value) => 1 + value);
    weights[`${name}.bias`] = randomNormals(hidden, 0.3, random);
  };
  matrix("model.decoder.embed_tokens", vocabulary, width);
  matrix("model.decoder.embed_positions", shape.context + 2, hidden);
  if (width !== hidden) matrix("model.decoder.project_in", hidden, width);
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `model.decoder.layers.${layer}`;
    norm(`${at}.self_attn_layer_norm`);
    for (const it of ["q_proj", "k_proj", "v_proj", "out_proj"]) {
      linear(`${at}.self_attn.${it}`, hidden, hidden);
    }
    norm(`${at}.final_layer_norm`);
    linear(`${at}.fc1`, feedForward, hidden);
    linear(`${at}.fc2`, hidden, feedForward);
  }
  if ((shape.normBefore ?? true) && (shape.finalNorm ?? true)) {
    norm("model.decoder.final_layer_norm");
  }
  if (width !== hidden) matrix("model.decoder.project_out", width, hidden);
  if (!tied) matrix("lm_head", vocabulary, width);
  return weights;
}

/** The dimensions of a tensor. */
export function optDimensions(shape: OptShape, name: string, length: number): number[] {
  if (/bias$|norm/.test(name)) return [length];
  const { hidden, feedForward, embeddingWidth: width = hidden } = shape;
  const inputs = /embed_tokens|project_in|lm_head/.test(name)
    ? width
    : name.includes("fc2")
    ? feedForward
    : hidden;
  return [length / inputs, inputs];
}

/** The `config.json` of a shape, as transformers writes it. */
export function optConfig(
  shape: OptShape,
  { tied = true, biases = true, affine = true }: RandomOptOptions = {},
): Record<string, unknown> {
  const { normBefore = true, finalNorm = true } = shape;
  return {
    _name_or_path: "facebook/opt-125m",
    _remove_final_layer_norm: !finalNorm,
    activation_dropout: 0.0,
    activation_function: shape.activation ?? "relu",
    architectures: ["OPTForCausalLM"],
    attention_dropout: 0.0,
    bos_token_id: 2,
    do_layer_norm_before: normBefore,
    dropout: 0.1,
    enable_bias: biases,
    eos_token_id: 2,
    ffn_dim: shape.feedForward,
    hidden_size: shape.hidden,
    init_std: 0.02,
    layer_norm_elementwise_affine: affine,
    layerdrop: 0.0,
    max_position_embeddings: shape.context,
    model_type: "opt",
    num_attention_heads: shape.heads,
    num_hidden_layers: shape.layers,
    pad_token_id: 1,
    prefix: "</s>",
    ...tied ? {} : { tie_word_embeddings: false },
    torch_dtype: "float32",
    transformers_version: "4.46.0",
    use_cache: true,
    vocab_size: shape.vocabulary,
    word_embed_proj_dim: shape.embeddingWidth ?? shape.hidden,
  };
}

/** Linear layers of blocks, as programs that quantise choose them. */
export const isOptLinear = (stored: string): boolean =>
  /layers\..*(_proj|fc[12])\.weight$/.test(stored);

/** Writes a folder; linear layers of blocks, and what `also` names, stored by `linear` if that is given. What the tensors decode to. */
export async function writeOptFolder(
  folder: string,
  shape: OptShape,
  options: RandomOptOptions & {
    readonly config?: Record<string, unknown>;
    readonly linear?: (
      module: string,
      rows: number,
      columns: number,
      seed: number,
    ) => StoredLinear;
    readonly also?: RegExp;
    /** What becomes of a name. */
    readonly rename?: (name: string) => string;
  } = {},
): Promise<Record<string, ArrayLike<number>>> {
  const { linear, also = /^$/, rename = (name: string) => name } = options;
  const tensors: SafetensorsTensorData[] = [];
  const weights: Record<string, ArrayLike<number>> = {};
  for (const [name, values] of Object.entries(randomOpt(shape, options))) {
    const dimensions = optDimensions(shape, name, values.length);
    if (linear && (isOptLinear(name) || also.test(name))) {
      const [rows, columns] = dimensions;
      const stored = linear(name.slice(0, -".weight".length), rows, columns, tensors.length);
      weights[name] = stored.weights;
      // Some methods bring a bias of zeros: the model's own counts.
      tensors.push(...stored.tensors.filter((it) => !it.name.endsWith(".bias")));
    } else {
      weights[name] = values;
      tensors.push(tensorData(rename(name), "F32", dimensions, values));
    }
  }
  const json = { ...optConfig(shape, options), ...options.config };
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
  const stream = ReadableStream.from(writeSafetensors(tensors));
  await Deno.writeFile(join(folder, "model.safetensors"), stream);
  return weights;
}

/** The loss of a batch by the oracle: every candidate in a sequence of its own. */
export function optLoss(
  shape: OptShape,
  weights: OptWeights,
  examples: readonly Example[],
  objective: "language-modelling" | "classification",
): number {
  const logOf = (prompt: readonly number[], candidate: readonly number[]): Float64Array => {
    const tokens = [...prompt, ...candidate];
    const logits = optLogits(shape, weights, tokens.slice(0, -1));
    const first = Math.max(0, prompt.length - 1);
    return targetLogProbabilities(
      logits.subarray(first * shape.vocabulary),
      shape.vocabulary,
      tokens.slice(first + 1),
    );
  };
  const scored = examples.map(({ prompt, candidates, label }) => ({
    candidates: candidates.map((candidate) => logOf(prompt, candidate)),
    label,
  }));
  if (objective === "classification") return classificationLoss(scored);
  return languageModellingLoss(scored.flatMap((s) => s.candidates.flatMap((c) => [...c])));
}

export { insideName, optLogits };

/** Asserts that losses of both objectives are the oracle's on the source's own weights. */
export async function assertOptForward(
  gpu: Gpu,
  source: ModelSource,
  shape: OptShape,
  bound = 2e-5,
): Promise<void> {
  using model = await loadModel(gpu, source);
  const weights = await weightsOf(source);
  using evaluator = new Evaluator(model);
  const text = textExamples(shape.vocabulary, [9, 2, shape.context]);
  const choice = choiceExamples(shape.vocabulary, [5, 1, 12]);
  const results = await evaluator.run([
    packBatch(text, "language-modelling", shape.context),
    packBatch(choice, "classification", shape.context),
  ]);
  const expected = [
    optLoss(shape, weights, text, "language-modelling"),
    optLoss(shape, weights, choice, "classification"),
  ];
  results.forEach(({ loss }, i) => assertAlmostEquals(loss, expected[i], bound));
}
