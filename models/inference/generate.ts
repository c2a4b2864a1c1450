/**
 * Text from a model, token by token, with cached keys and values.
 *
 * @module
 */

import { assertOptions, countOrNone, type OptionRules } from "../../optim/options.ts";
import { StopStrings } from "./stop_strings.ts";
import {
  batchLayout,
  type BatchShape,
  compileGraph,
  type OffsetSet,
  type Plan,
  SHADER_LIBRARY,
  Storage,
  submitPlanInTurns,
  type Value,
} from "../../kernels/mod.ts";
import { masterSeed, threefry2x32 } from "../../optim/directions/noise.ts";
import { recordLogits } from "../forward.ts";
import type { KeyValueCache } from "../recorder.ts";
import { assertNotDisposed, type Model } from "./model.ts";
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

/** Rows that a prompt is read in at once. */
const PROMPT_ROWS = 64;

interface LogitsPlan {
  readonly plan: Plan;
  readonly input: Storage;
  readonly logits: Value;
  readonly shape: BatchShape;
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
    throw new RangeError("Cannot generate up to a text: the model brings no tokenizer");
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

/** A sequence being extended: the cache and the plans for a prompt's pieces and for one token. */
class Decoding implements Disposable {
  readonly #model: Model;
  readonly #cache: KeyValueCache;
  readonly #offsets: OffsetSet | undefined;
  readonly #plans = new Map<number, LogitsPlan>();
  /** Tokens of a prompt whose keys and values were made a whole piece at a time. */
  readonly #kept: number[] = [];
  #length = 0;

  constructor(model: Model, offsets: OffsetSet | undefined) {
    const { config, maxPositions, gpu } = model;
    const bytes = maxPositions * config.keyValueHeads * config.headDimension * 4;
    const make = (what: string) =>
      Array.from(
        { length: config.layers },
        (_, i) => new Storage(`${what} ${i}`, bytes, "activations").allocate(gpu),
      );
    this.#model = model;
    this.#offsets = offsets;
    this.#cache = { rows: maxPositions, keys: make("keys"), values: make("values") };
  }

  /** Tokens that another sequence may go on from. */
  get kept(): number {
    return this.#kept.length;
  }

  /**
   * Begins a sequence with a prompt; returns the logits after it. What is there of a prompt that began alike is gone on from, in whole pieces, so that
   * every key and value is made in the company that it has without.
   */
  async begin(prompt: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    // At least one token is read, for its logits.
    const most = Math.min(this.#kept.length, prompt.length - 1);
    let alike = 0;
    while (alike < most && this.#kept[alike] === prompt[alike]) alike++;
    this.#length = alike - alike % PROMPT_ROWS;
    this.#kept.length = this.#length;
    return await this.feed(prompt.slice(this.#length), signal, this.#kept);
  }

  /** Appends tokens, and those of whole pieces to `kept`; returns the logits after the last. */
  async feed(
    tokens: readonly number[],
    signal?: AbortSignal,
    kept?: number[],
  ): Promise<Float32Array> {
    assertNotDisposed(this.#model, "generate");
    for (let first = 0; first < tokens.length; first += PROMPT_ROWS) {
      const piece = tokens.slice(first, first + PROMPT_ROWS);
      const { plan, input, logits, shape } = this.#plan(piece.length === 1 ? 1 : PROMPT_ROWS);
      const { gpu } = this.#model;
      gpu.write(input.buffer, this.#words(piece, shape));
      await submitPlanInTurns(gpu, plan, { signal });
      this.#length += piece.length;
      if (piece.length === PROMPT_ROWS) kept?.push(...piece);
      if (first + PROMPT_ROWS >= tokens.length) {
        const values = await gpu.readFloats(plan.buffer(logits), this.#model.config.vocabulary);
        gpu.pipelines.check();
        return values;
      }
    }
    throw new RangeError("Cannot extend a sequence by no tokens");
  }

  #words(tokens: readonly number[], shape: BatchShape): Uint32Array<ArrayBuffer> {
    const at = batchLayout(shape);
    const words = new Uint32Array(at.words);
    for (let i = 0; i < shape.rows; i++) {
      const position = Math.min(this.#length + i, this.#model.maxPositions - 1);
      words[at.tokens + i] = tokens[i] ?? 0;
      words[at.positions + i] = position;
      // Rows beyond the piece write where the next tokens will overwrite them.
      words[at.slots + i] = position;
    }
    words[at.lossRows] = tokens.length - 1;
    return words;
  }

  #plan(rows: number): LogitsPlan {
    const found = this.#plans.get(rows);
    if (found) return found;
    const { gpu } = this.#model;
    const shape = { rows, lossRows: 1, candidates: 1, examples: 1 };
    const input = new Storage("tokens", batchLayout(shape).words * 4, "activations").allocate(gpu);
    const { graph, logits } = recordLogits(
      this.#model,
      shape,
      input,
      this.#offsets && { offsets: this.#offsets },
      this.#cache,
    );
    const made = { plan: compileGraph(gpu, graph, SHADER_LIBRARY, [logits]), input, logits, shape };
    this.#plans.set(rows, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const { plan, input } of this.#plans.values()) {
      plan[Symbol.dispose]();
      input[Symbol.dispose]();
    }
    for (const storage of [...this.#cache.keys, ...this.#cache.values]) storage[Symbol.dispose]();
  }
}

/** Keys and values of prompts, one after another, made by {@linkcode promptMemory}. Disposing frees them. */
export interface PromptMemory extends Disposable {
  /** Tokens of the last prompt that the next one, if it begins alike, need not read again. */
  readonly length: number;
}

/**
 * Room for keys and values of prompts, one after another: of a prompt that begins as the last one did, as those of a conversation do, only what is new
 * is read. The text is the same to the bit. One generation at a time has it.
 *
 * @param offsets A fine-tune's; where they are changed, another memory is to be made.
 *
 * @example A conversation's second turn goes on from the first
 * ```ts
 * import { generate, loadModel, openGpu, openModelSource, promptMemory } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * using memory = promptMemory(model);
 * const first = Array.from({ length: 70 }, (_, i) => 5 + i);
 * const tokens = async (prompt: number[], more = {}) =>
 *   (await Array.fromAsync(generate(model, prompt, { maxTokens: 3, ...more }))).map((it) => it.token);
 * const second = [...first, ...await tokens(first, { memory }), 9];
 * assertEquals(await tokens(second, { memory }), await tokens(second));
 * ```
 */
export function promptMemory(model: Model, offsets?: OffsetSet): PromptMemory {
  return new Remembered(model, offsets);
}

class Remembered implements PromptMemory {
  readonly #model: Model;
  readonly #offsets: OffsetSet | undefined;
  #decoding: Decoding | undefined;
  #state: "free" | "taken" | "disposed" = "free";

  constructor(model: Model, offsets?: OffsetSet) {
    this.#model = model;
    this.#offsets = offsets;
  }

  get length(): number {
    return this.#decoding?.kept ?? 0;
  }

  /** Lends what a generation works on until `free` is called. */
  lend(model: Model, offsets?: OffsetSet): Lent {
    const why = this.#state === "disposed"
      ? "it was disposed"
      : this.#state === "taken"
      ? "another generation has it"
      : model !== this.#model
      ? "it is of another model"
      : offsets !== this.#offsets
      ? "it is of other offsets"
      : undefined;
    if (why !== undefined) throw new TypeError(`Cannot generate with this memory: ${why}`);
    this.#state = "taken";
    this.#decoding ??= new Decoding(model, offsets);
    return {
      decoding: this.#decoding,
      [Symbol.dispose]: () => {
        if (this.#state === "disposed") this.#free();
        else this.#state = "free";
      },
    };
  }

  #free(): void {
    this.#decoding?.[Symbol.dispose]();
    this.#decoding = undefined;
  }

  [Symbol.dispose](): void {
    // A generation that has it frees it at its end.
    if (this.#state === "free") this.#free();
    this.#state = "disposed";
  }
}

/** A sequence for the time of a generation. */
interface Lent extends Disposable {
  readonly decoding: Decoding;
}

function decodingFor(model: Model, { memory, offsets }: GenerateOptions): Lent {
  if (memory === undefined) {
    const decoding = new Decoding(model, offsets);
    return { decoding, [Symbol.dispose]: () => decoding[Symbol.dispose]() };
  }
  if (memory instanceof Remembered) return memory.lend(model, offsets);
  throw new TypeError("Cannot generate with this memory: promptMemory makes them");
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
