/**
 * Prompt tuning: vectors before every sequence, in place of token embeddings.
 *
 * @module
 */

import { assertOptions, type OptionRules } from "../../optim/options.ts";
import { weightsOf } from "../architectures.ts";
import type { ModelConfig } from "../model_config.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { drawnTokens } from "./initial_values.ts";
import type { Adapter, AdapterOption, AdapterPlan, AdapterScheme } from "./scheme.ts";
import { asStoredHalves, storedHalves } from "./stored_halves.ts";

/** The plan of a prompt adapter. */
export type PromptPlan = AdapterPlan & {
  /** Number of vectors. */
  readonly tokens: number;
  /** Initial values, `[tokens][width]`, as f16 in base64. Default: drawn from N(0, 1). */
  readonly values?: string;
};

/** Options of {@linkcode promptAdapter}. */
export interface PromptOptions {
  /** Number of vectors. Default 10. */
  readonly tokens?: number | undefined;
  /** Initial values: the embeddings of random tokens of the vocabulary, or numbers drawn from N(0, 1), as in PEFT. Default `"vocabulary"`. */
  readonly init?: "vocabulary" | "random" | undefined;
  /** Text whose token embeddings are the initial values, repeated or truncated to their number. Replaces `init`. */
  readonly text?: string | undefined;
  /** Seed of the initial values. Default 0. */
  readonly seed?: number | undefined;
}

const MOST_TOKENS = 65536;
const tokens = { min: 1, max: MOST_TOKENS, whole: true };
const inits = ["vocabulary", "random"] as const;

const promptRules: OptionRules<PromptOptions> = {
  tokens,
  init: { of: inits },
  text: "any",
  seed: { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true },
};

const options: Readonly<Record<keyof Omit<PromptOptions, "seed">, AdapterOption>> = {
  tokens: { doc: "number of vectors in front of every sequence", ...tokens, default: 10 },
  init: {
    doc:
      "initial values: vocabulary (embeddings of tokens drawn from it), or random (from N(0, 1))",
    of: inits,
    default: "vocabulary",
  },
  text: { doc: "start from the embeddings of this text instead of init", holds: "text" },
};

/** The name of the vectors. */
export const PROMPT_VECTORS = "prompt";

/**
 * Creates a prompt adapter. The positions of real tokens start after its vectors. If embeddings are multiplied by a factor (Gemma), the vectors
 * are inserted after that multiplication.
 *
 * Source: Lester et al., arXiv 2104.08691.
 *
 * @param model The base model, with its tokenizer if `text` is given.
 * @returns An adapter to be completed by {@linkcode startedAdapter}. If `init` is `"random"`, it is already complete.
 * @throws {RangeError} for numbers out of range, and for a text without a tokenizer or without tokens.
 *
 * @example Five vectors for the bundled model
 * ```ts
 * import { openModelSource, promptAdapter } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const { plan, start } = promptAdapter(source, { tokens: 5, text: "A film review:" });
 * assertEquals(plan, { tokens: 5 });
 * assertEquals(start?.tokens.length, 5);
 * ```
 */
export function promptAdapter(
  { config, tokenizer }: {
    readonly config: ModelConfig;
    readonly tokenizer?: Tokenizer | undefined;
  },
  options: PromptOptions = {},
): Adapter & { readonly plan: PromptPlan } {
  assertOptions("make a prompt adapter", options, promptRules);
  const { tokens = 10, init = "vocabulary", text, seed = 0 } = options;
  const plan: PromptPlan = { tokens };
  prompt.tensors(config, plan);
  const adapter = { scheme: "prompt", plan, seed };
  if (text === undefined && init === "random") return adapter;
  const chosen = text === undefined
    ? drawnTokens(tokens, config.vocabulary, seed)
    : repeated(tokensOf(text, tokenizer), tokens);
  return { ...adapter, start: { tokens: chosen, of: "embeddings" } };
}

function tokensOf(text: string, tokenizer: Tokenizer | undefined): readonly number[] {
  const refuse = (why: string) =>
    new RangeError(`Cannot start a prompt from ${JSON.stringify(text.slice(0, 60))}: ${why}`);
  if (!tokenizer) throw refuse("the model has no tokenizer");
  const tokens = tokenizer.encode(text, { addSpecial: false });
  if (tokens.length === 0) throw refuse("it contains no tokens");
  return tokens;
}

function repeated(tokens: readonly number[], count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => tokens[i % tokens.length]);
}

function widthOf(config: ModelConfig): number {
  const { columns } = weightsOf(config).find(({ role }) => role === "embedding")!;
  if (columns % 4 === 0) return columns;
  throw new RangeError(
    `Cannot put vectors in place of embeddings: these have ${columns} elements, expected a multiple of 4`,
  );
}

/** The prompt tuning scheme. */
export const prompt: AdapterScheme<PromptPlan> = {
  name: "prompt",
  summary: "vectors in front of every sequence, in place of token embeddings",
  options,
  make: (model, settings) => promptAdapter(model, settings as PromptOptions),
  parse({ tokens, values, ...rest }) {
    const refuse = (why: string) => new RangeError(`Cannot use a prompt adapter: ${why}`);
    const unknown = Object.keys(rest);
    if (unknown.length > 0) throw refuse(`it has the unknown key "${unknown[0].slice(0, 60)}"`);
    if (!(Number.isInteger(tokens) && tokens as number >= 1 && tokens as number <= MOST_TOKENS)) {
      throw refuse(`its number of tokens is ${JSON.stringify(tokens)?.slice(0, 60)}`);
    }
    if (values !== undefined && typeof values !== "string") {
      throw refuse("its values are not a string");
    }
    return { tokens: tokens as number, ...values === undefined ? {} : { values } };
  },
  tensors(config, { tokens, values }) {
    const columns = widthOf(config);
    const stored = values === undefined ? undefined : storedHalves(values, tokens * columns);
    if (values !== undefined && !stored) {
      throw new RangeError(
        `Cannot use a prompt adapter: its values are not ${tokens} x ${columns}`,
      );
    }
    const initial = stored ? { values: stored } : { normal: 1 };
    return [{ name: PROMPT_VECTORS, rows: tokens, columns, initial }];
  },
  hooks: ({ tokens }) => ({
    lead: { tokens, positions: tokens },
    vectors: PROMPT_VECTORS,
  }),
  started: (plan, { embeddings }) => ({
    ...plan,
    values: asStoredHalves(embeddings, "embeddings"),
  }),
};
