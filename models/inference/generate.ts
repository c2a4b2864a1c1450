/**
 * Text from a model, token by token, with cached keys and values.
 *
 * @module
 */

import { assertOptions, countOrNone, type OptionRules } from "../../optim/options.ts";
import { StopStrings } from "./stop_strings.ts";
import type { OffsetSet } from "../../kernels/mod.ts";
import { masterSeed, threefry2x32 } from "../../optim/directions/noise.ts";
import { assertNotDisposed, type Model } from "./model.ts";
import { decodingFor, type PromptMemory } from "./prompt_memory.ts";
import { streamDecoder } from "../tokenizers/tokenizer_stream.ts";

/** How to sample. */
export interface GenerateOptions {
  /** Most new tokens. Default 128; never beyond the model's context. */
  readonly maxTokens?: number;
  /** 0 takes the likeliest token. Default 0. */
  readonly temperature?: number;
  /** Only the k likeliest tokens. Default: all. */
  readonly topK?: number;
  /** Only the likeliest tokens that together have this probability. Default 1. */
  readonly topP?: number;
  /**
   * What logits of tokens that are there already, in the prompt too, are divided by where they are above 0 and multiplied by where below (arXiv
   * 1909.05858), as transformers does it: above 1 discourages them. Default 1.
   */
  readonly repetitionPenalty?: number;
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
 * @throws {RangeError} When the prompt is empty or leaves no room in the context, an option is out of range, or the model's output is not
 * finite
 */
export async function* generate(
  model: Model,
  prompt: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedToken> {
  assertOptions("generate", options, generateRules);
  assertNotDisposed(model, "generate");
  const { maxTokens = 128, seed = 0, signal, repetitionPenalty = 1, stop: stops = [] } = options;
  if (stops.length > 0 && !model.tokenizer) {
    throw new RangeError("Cannot generate up to a text: the model has no tokenizer");
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
  const seen = new Set(prompt);
  let logits = await session.begin(prompt, signal);
  for (let i = 0; i < Math.min(maxTokens, room); i++) {
    signal?.throwIfAborted();
    if (repetitionPenalty !== 1) penalise(logits, seen, repetitionPenalty);
    const token = sample(logits, uniform(seed, i));
    if (stop.has(token)) break;
    seen.add(token);
    const { text, found } = ending.push(decoder?.push(token) ?? "");
    yield { token, text };
    if (found) return;
    if (i + 1 < Math.min(maxTokens, room)) logits = await session.feed([token], signal);
  }
  const { text, found } = ending.push(decoder?.end() ?? "");
  const rest = found ? text : text + ending.end();
  if (rest !== "") yield { token: -1, text: rest };
}

const generateRules: OptionRules<GenerateOptions> = {
  maxTokens: countOrNone,
  temperature: { min: 0 },
  topK: { min: 1, infinite: true },
  topP: { min: 0, max: 1, above: true },
  repetitionPenalty: { min: 0, above: true },
  seed: countOrNone,
  stop: "any",
  stopTokens: "any",
  offsets: "any",
  memory: "any",
  signal: "any",
};

/** Divides or multiplies the logits of tokens, towards less likely where `penalty` is above 1. */
function penalise(logits: Float32Array, tokens: Iterable<number>, penalty: number): void {
  for (const token of tokens) {
    logits[token] = logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty;
  }
}

/** A number in [0, 1) that depends on seed and index only. */
function uniform(seed: number, index: number): number {
  return threefry2x32([...masterSeed(seed)], [index, 0x67656e])[0] / 2 ** 32;
}

/** A model that is broken must not look like one that chose something. */
function assertFinite(logits: Float32Array): void {
  const at = logits.findIndex((logit) => !Number.isFinite(logit));
  if (at < 0) return;
  throw new RangeError(
    `Cannot choose a token: the model's logit of token ${at} is ${
      logits[at]
    }. A weight is not finite, or offsets were trained too far: try fewer steps or a lower learning rate`,
  );
}

/** Chooses a token from logits, given a uniform number; a RangeError for a logit that is not finite. */
export function sampler(
  { temperature = 0, topK = Infinity, topP = 1 }: Pick<
    GenerateOptions,
    "temperature" | "topK" | "topP"
  >,
): (logits: Float32Array, uniform: number) => number {
  if (!(temperature >= 0 && Number.isFinite(temperature))) {
    throw new RangeError(`Cannot sample at temperature ${temperature}: it must be 0 or more`);
  }
  if (!(topK >= 1) || !(topP > 0 && topP <= 1)) {
    throw new RangeError(
      `Cannot sample from the ${topK} likeliest tokens with probability ${topP}`,
    );
  }
  return (logits, u) => {
    assertFinite(logits);
    if (temperature === 0) return logits.reduce((best, x, i) => x > logits[best] ? i : best, 0);
    const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a])
      .slice(0, Math.min(topK, logits.length));
    const weights = order.map((i) => Math.exp((logits[i] - logits[order[0]]) / temperature));
    const total = weights.reduce((a, b) => a + b, 0);
    let kept = 0;
    let mass = 0;
    while (kept < order.length && mass < topP * total) mass += weights[kept++];
    let left = u * mass;
    for (let i = 0; i < kept; i++) {
      left -= weights[i];
      if (left < 0) return order[i];
    }
    return order[kept - 1];
  };
}
