/**
 * Text from a model, token by token, with cached keys and values.
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

/** How to generate: {@linkcode SamplingOptions} and {@linkcode PenaltyOptions} say how tokens are chosen, in the order of llama.cpp. */
export interface GenerateOptions extends SamplingOptions, PenaltyOptions {
  /** Most new tokens. Default 128; never beyond the model's context. */
  readonly maxTokens?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Texts that end generation; neither they nor what is behind them is yielded. They may lie across tokens. Default: none. */
  readonly stop?: readonly string[];
  /** Ends generation; not yielded. Default: all that the tokenizer's files name (`ends`). */
  readonly stopTokens?: readonly number[];
  /** A fine-tune's offsets. */
  readonly offsets?: OffsetSet;
  /** What earlier prompts that began alike left to go on from; it must be of the same model and offsets. Default: nothing. */
  readonly memory?: PromptMemory;
  /** Stops before the next token. */
  readonly signal?: AbortSignal;
}

/** One new token. */
export interface GeneratedToken {
  /** Its id; -1 for text of a character that never finished. */
  readonly token: number;
  /** The text it adds; empty while a character is unfinished. */
  readonly text: string;
}

/**
 * Generates tokens after `prompt`.
 *
 * @throws {RangeError} When the model predicts masked tokens, the prompt is empty or leaves no room in the context, an option is out of range, or the model's output is not
 * finite
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

/** Refuses a model that does not predict the next token. @throws {RangeError} That says so */
export function assertGenerates(config: Pick<ModelConfig, "architecture">): void {
  if (sightOf(config) === "earlier") return;
  throw new RangeError(
    `Cannot generate with a model of architecture ${config.architecture}: it sees the whole text and predicts masked tokens, not the next one; evaluate it on a task instead`,
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

/** A number in [0, 1) that depends on seed and index only. */
function uniform(seed: number, index: number): number {
  return threefry2x32([...masterSeed(seed)], [index, 0x67656e])[0] / 2 ** 32;
}
