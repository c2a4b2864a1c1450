/**
 * Generates text from a model, token by token, with cached keys and values.
 *
 * @module
 */

import { assertOptions, countOrNone, type OptionRules } from "../../optim/options.ts";
import {
  Penalties,
  type PenaltyOptions,
  penaltyRules,
  sampler,
  type SamplingOptions,
  samplingRules,
} from "./sampling.ts";
import { StopStrings } from "./stop_strings.ts";
import type { OffsetSet } from "../../kernels/mod.ts";
import { masterSeed, threefry2x32 } from "../../optim/directions/noise.ts";
import { sightOf } from "../architectures.ts";
import type { ModelConfig } from "../model_config.ts";
import { assertNotDisposed, type Model } from "./model.ts";
import { decodingFor, type PromptMemory } from "./prompt_memory.ts";
import { streamDecoder } from "../tokenizers/tokenizer_stream.ts";

/** Options of generation. {@linkcode SamplingOptions} and {@linkcode PenaltyOptions} determine how tokens are chosen, in llama.cpp's order. */
export interface GenerateOptions extends SamplingOptions, PenaltyOptions {
  /** The most new tokens. Default 128; never more than the model's context allows. */
  readonly maxTokens?: number;
  /** Seed of the sampling. Default 0. */
  readonly seed?: number;
  /** Strings that end generation. They and anything after them are not returned. They may span several tokens. Default: none. */
  readonly stop?: readonly string[];
  /** Tokens that end generation. They are not returned. Default: all that the tokenizer's files name (`ends`). */
  readonly stopTokens?: readonly number[];
  /** Offsets of a fine-tune. Default: none. */
  readonly offsets?: OffsetSet;
  /** Cached keys and values of an earlier prompt with the same beginning. It must belong to the same model and offsets. Default: none. */
  readonly memory?: PromptMemory;
  /** Aborts before the next token. */
  readonly signal?: AbortSignal;
}

/** One generated token. */
export interface GeneratedToken {
  /** Token id, or -1 for the text of a character that was never completed. */
  readonly token: number;
  /** Text added by this token. Empty while a character is incomplete. */
  readonly text: string;
}

/**
 * Generates the tokens that follow `prompt`.
 *
 * @throws {RangeError} when the model predicts masked tokens, the prompt is empty or leaves no room in the context, an option is out of range,
 * or the model's output is not finite.
 *
 * @example Five tokens
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { generate, loadModel, openModelSource } from "@qzo/qzo/models";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * const prompt = model.tokenizer!.encode("The film was");
 * let text = "";
 * for await (const token of generate(model, prompt, { maxTokens: 5 })) text += token.text;
 * assert(text.length > 0);
 * ```
 */
export async function* generate(
  model: Model,
  prompt: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedToken> {
  assertOptions("generate", options, generateRules);
  assertNotDisposed(model, "generate");
  assertGenerates(model.config);
  const { maxTokens = 128, seed = 0, signal, stop: stops = [] } = options;
  if (stops.length > 0 && !model.tokenizer) {
    throw new RangeError("Cannot stop at a text: the model has no tokenizer");
  }
  const ending = new StopStrings(stops);
  const room = model.maxPositions - prompt.length;
  if (prompt.length === 0 || room < 1) {
    throw new RangeError(
      `Cannot generate after ${prompt.length} tokens: the prompt must have 1 to ${
        model.maxPositions - 1
      }`,
    );
  }
  const strange = prompt.find((token) =>
    !(Number.isInteger(token) && token >= 0 && token < model.config.vocabulary)
  );
  if (strange !== undefined) {
    throw new RangeError(
      `Cannot generate after token ${strange}: the model's vocabulary has ${model.config.vocabulary}`,
    );
  }
  const sample = sampler(options);
  const stop = new Set(
    options.stopTokens ?? model.tokenizer?.ends ?? [],
  );
  const decoder = model.tokenizer && streamDecoder(model.tokenizer);
  using lent = decodingFor(model, options);
  const session = lent.decoding;
  const penalties = new Penalties(options);
  for (const token of prompt) penalties.see(token);
  let logits = await session.begin(prompt, signal);
  for (let i = 0; i < Math.min(maxTokens, room); i++) {
    signal?.throwIfAborted();
    penalties.apply(logits);
    const token = sample(logits, uniform(seed, i));
    if (stop.has(token)) break;
    penalties.see(token);
    const { text, found } = ending.push(decoder?.push(token) ?? "");
    yield { token, text };
    if (found) return;
    if (i + 1 < Math.min(maxTokens, room)) logits = await session.feed([token], signal);
  }
  const { text, found } = ending.push(decoder?.end() ?? "");
  const rest = found ? text : text + ending.end();
  if (rest !== "") yield { token: -1, text: rest };
}

/**
 * Rejects a model that does not predict the next token.
 *
 * @throws {RangeError} for such a model.
 */
export function assertGenerates(config: Pick<ModelConfig, "architecture">): void {
  if (sightOf(config) === "earlier") return;
  throw new RangeError(
    `Cannot generate with a model of architecture ${config.architecture}: it attends to the whole text and predicts masked tokens, not the next one; evaluate it on a task instead`,
  );
}

const generateRules: OptionRules<GenerateOptions> = {
  maxTokens: countOrNone,
  ...samplingRules,
  ...penaltyRules,
  seed: countOrNone,
  stop: "any",
  stopTokens: "any",
  offsets: "any",
  memory: "any",
  signal: "any",
};

/** A number in [0, 1) that depends only on seed and index. */
function uniform(seed: number, index: number): number {
  return threefry2x32([...masterSeed(seed)], [index, 0x67656e])[0] / 2 ** 32;
}
