/**
 * Converts rows of fine-tuning data to tokens: earlier text is context, and the answers count in the loss.
 *
 * @module
 */
import { assertOptions, count, type OptionRules } from "../../optim/options.ts";
import type { Example } from "../../models/batch.ts";
import { chatEnds } from "../../models/tokenizers/chat_template.ts";
import { withoutStart, withStart } from "../../models/tokenizers/special_tokens.ts";
import type { Tokenizer } from "../../models/tokenizers/tokenizer.ts";
import type { Row } from "../data/row.ts";
import { type SupervisedOptions, type SupervisedText, supervisedText } from "./supervised_row.ts";

/** Options of {@linkcode supervisedExample}. */
export interface SupervisedExampleOptions extends SupervisedOptions {
  /** The most tokens per example; the rest is dropped. Default: no limit. */
  readonly maximumLength?: number | undefined;
}

const rules: OptionRules<SupervisedExampleOptions> = {
  form: "any",
  template: "any",
  loss: "any",
  maximumLength: { ...count, infinite: true, whole: false },
};

/**
 * Tokenises a conversation, an instruction, or a prompt with its completion. The whole text is tokenised at once. The loss starts at the first
 * token that differs from those of the text before the answer alone, which is where generation would continue. The tokens that the tokenizer
 * puts before every text occur once. Tokens after the last one in the loss are dropped.
 *
 * @returns The example. Undefined if nothing that counts in the loss is within the limit.
 * @throws The errors of {@linkcode scoredChat} and of reading the row's fields.
 *
 * @example The loss covers the completion and the EOS token
 * ```ts
 * import { supervisedExample } from "@qzo/qzo/tasks";
 * import { tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromJson({
 *   model: { type: "BPE", vocab: { a: 0, b: 1, "</s>": 2 }, merges: [] },
 * }, { eos_token: "</s>" });
 * const row = { prompt: "aab", completion: "ba" };
 * assertEquals(supervisedExample(tokenizer, row, { form: "completion" }), {
 *   prompt: [0, 0, 1],
 *   candidates: [[1, 0, 2]],
 *   label: 0,
 * });
 * ```
 */
export function supervisedExample(
  tokenizer: Tokenizer,
  row: Row,
  options: SupervisedExampleOptions,
): Example | undefined {
  assertOptions("tokenise a row", options, rules);
  const { maximumLength = Infinity, ...layout } = options;
  const steps = exampleOfText(tokenizer, supervisedText(tokenizer, row, layout), {
    maximumLength,
    template: layout.template,
  });
  let step = steps.next();
  while (!step.done) step = steps.next(tokenizer.encode(step.value, { addSpecial: false }));
  return step.value.example;
}

/** An example, and its length before it was truncated. */
export interface MeasuredSupervised {
  /** The example. Undefined if nothing that counts in the loss remains. */
  readonly example: Example | undefined;
  /** Number of tokens in the whole text. */
  readonly tokens: number;
}

/** Options of {@linkcode exampleOfText}. */
export interface TextOptions {
  readonly maximumLength: number;
  readonly template?: string | undefined;
}

/**
 * Makes the example of a text with scored parts. It yields texts and expects their tokens, without special tokens around them, so that the
 * caller decides how to tokenise.
 */
export function* exampleOfText(
  tokenizer: Tokenizer,
  { text: whole, scored, exact, ended }: SupervisedText,
  { maximumLength, template }: TextOptions,
): Generator<string, MeasuredSupervised, readonly number[]> {
  const text = withoutStart(tokenizer, whole);
  const taken = whole.length - text.length;
  const ids = withStart(tokenizer, yield text);
  const [size, { eos }] = [ids.length, tokenizer];
  if (ended && eos !== undefined) ids.push(eos);
  const tokens = ids.length;
  /** Index of the token that contains a character of the text or starts at it. */
  const tokenAt = function* (place: number): Generator<string, number, readonly number[]> {
    const at = place - taken;
    if (at <= 0) return 0;
    if (at >= text.length) return size;
    return commonPrefix(ids, withStart(tokenizer, yield text.slice(0, at)));
  };
  const kept = Math.min(tokens, maximumLength);
  const ranges: [number, number][] = [];
  for (const [from, to] of scored) {
    const first = yield* tokenAt(from);
    if (first >= kept) break;
    const through = yield* tokenAt(to);
    const behind = through === size ? tokens : through;
    const end = Math.min(
      exact ? behind : withoutRest(tokenizer, ids, first, behind, template),
      kept,
    );
    // The first token cannot be predicted, because no token precedes it.
    const begin = Math.max(first, 1);
    if (begin >= end) continue;
    const last = ranges.at(-1);
    if (last?.[1] === begin) last[1] = end;
    else ranges.push([begin, end]);
  }
  if (ranges.length === 0) return { example: undefined, tokens };
  const [[first], end] = [ranges[0], ranges[ranges.length - 1][1]];
  // If everything counts in the loss, the first token is only context, as in plain text.
  const start = first === 1 ? 0 : first;
  const candidate = ids.slice(start, end);
  const places = ranges.map(([a, b]) => [a - start, b - start] as const);
  return {
    example: {
      prompt: ids.slice(0, start),
      candidates: [candidate],
      label: 0,
      ...(ranges.length > 1 ? { scored: places } : {}),
    },
    tokens,
  };
}

/** The end of a part, without text after the token that ends an answer, such as a line feed. */
function withoutRest(
  tokenizer: Tokenizer,
  ids: readonly number[],
  first: number,
  end: number,
  template: string | undefined,
): number {
  const ends = endsOf(tokenizer, template);
  for (let at = end - 1; at > first; at--) {
    if (ends.has(ids[at])) return at + 1;
    if (tokenizer.decode([ids[at]]).trim() !== "") return end;
  }
  return end;
}

const known = new WeakMap<Tokenizer, Map<string | undefined, ReadonlySet<number>>>();

function endsOf(tokenizer: Tokenizer, template: string | undefined): ReadonlySet<number> {
  let byTemplate = known.get(tokenizer);
  if (byTemplate === undefined) known.set(tokenizer, byTemplate = new Map());
  let ends = byTemplate.get(template);
  if (ends === undefined) {
    try {
      ends = new Set(chatEnds(tokenizer, { template }).tokens);
    } catch {
      ends = new Set(tokenizer.ends); // The template rejects so short a conversation.
    }
    byTemplate.set(template, ends);
  }
  return ends;
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
