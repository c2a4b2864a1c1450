/**
 * Sampling flags of the commands that generate text.
 *
 * @module
 */
import type { GenerateOptions } from "../models/mod.ts";
import type { Options, OptionSpec } from "./command.ts";
import { UsageError } from "./usage_error.ts";

/** The sampling flags. */
export const samplingOptions: Readonly<Record<string, OptionSpec>> = {
  temperature: { kind: "number", min: 0, doc: "0 always picks the likeliest token [0]" },
  "top-k": {
    kind: "number",
    min: 1,
    whole: true,
    doc: "sample only from the k likeliest tokens [all]",
  },
  "top-p": {
    kind: "number",
    min: 0,
    max: 1,
    doc: "sample only from the likeliest tokens whose probabilities add up to this [1]",
  },
  "min-p": {
    kind: "number",
    min: 0,
    max: 1,
    doc: "sample only from tokens with at least this share of the likeliest one's probability [0]",
  },
  "repetition-penalty": {
    kind: "number",
    min: 0,
    doc: "values above 1 discourage tokens that have already appeared [1]",
  },
  "frequency-penalty": {
    kind: "number",
    min: -100,
    max: 100,
    doc: "subtracted from a token's logit each time it has appeared [0]",
  },
  "presence-penalty": {
    kind: "number",
    min: -100,
    max: 100,
    doc: "subtracted from the logit of every token that has appeared [0]",
  },
  "penalty-window": {
    kind: "number",
    min: 0,
    whole: true,
    doc: "number of latest tokens that penalties look at [64]",
  },
  stop: {
    kind: "text",
    doc: 'text that ends generation, \\n for a line break; for several, a list: ["###", "\\n\\n"]',
  },
};

/** Options of {@linkcode GenerateOptions} and the number flags that set them. */
const numbers = {
  temperature: "temperature",
  topK: "top-k",
  topP: "top-p",
  minP: "min-p",
  repetitionPenalty: "repetition-penalty",
  frequencyPenalty: "frequency-penalty",
  presencePenalty: "presence-penalty",
  penaltyWindow: "penalty-window",
} as const;

/**
 * The generation options that the flags set.
 *
 * @throws {UsageError} when `--stop` starts with `[` but is not a list of strings.
 */
export function samplingOf(
  options: Options,
): Pick<GenerateOptions, keyof typeof numbers | "stop"> {
  const set = Object.entries(numbers).flatMap(([name, flag]) => {
    const value = options.number(flag);
    return value === undefined ? [] : [[name, value]];
  });
  const stop = options.text("stop");
  return { ...Object.fromEntries(set), ...(stop === undefined ? {} : { stop: stopsOf(stop) }) };
}

function stopsOf(text: string): string[] {
  if (!text.startsWith("[")) {
    return [text.replace(/\\([nrt\\])/g, (_, letter) => ESCAPES[letter])];
  }
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((it) => typeof it === "string")) return value;
  } catch { /* Reported below. */ }
  throw new UsageError(
    `Cannot use --stop ${
      JSON.stringify(text)
    }: expected a string, or a list of strings such as ["###", "\\n\\n"]`,
  );
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\" };

/** Generation speed, measured from the first token on, because the time before it goes into the prompt. */
export class Speed {
  readonly #begun = performance.now();
  #first = 0;
  #last = 0;
  #count = 0;

  /** Counts a token. */
  add(): void {
    this.#last = performance.now();
    if (this.#count++ === 0) this.#first = this.#last;
  }

  /** The speed as text: `24 tokens, 31.2 tokens/s, the first after 0.42 s`. */
  toString(): string {
    const count = `${this.#count} token${this.#count === 1 ? "" : "s"}`;
    if (this.#count === 0) return count;
    const seconds = (this.#last - this.#first) / 1000;
    const rate = this.#count > 1 && seconds > 0
      ? `, ${((this.#count - 1) / seconds).toPrecision(3)} tokens/s`
      : "";
    return `${count}${rate}, the first after ${((this.#first - this.#begun) / 1000).toFixed(2)} s`;
  }
}
