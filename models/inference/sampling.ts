/**
 * Chooses a token from logits, with llama.cpp's samplers in its default order. Penalties change the logits of tokens that have occurred. Then
 * top-k, top-p and min-p each discard unlikely tokens, the temperature is applied to the rest, and one token is drawn.
 *
 * @module
 */
import { assertOptions, type OptionRules } from "../../optim/options.ts";

/** How tokens are filtered and drawn. */
export interface SamplingOptions {
  /** Divides the logits after the other samplers; 0 takes the most likely token. Default 0. */
  readonly temperature?: number;
  /** Keep only the k most likely tokens. Default: all. */
  readonly topK?: number;
  /** Keep only the most likely tokens that together have this probability, at temperature 1. Default 1: all. */
  readonly topP?: number;
  /** Keep only tokens with at least this fraction of the highest probability, at temperature 1. Default 0: all. */
  readonly minP?: number;
}

/** Penalties for tokens that have already occurred. */
export interface PenaltyOptions {
  /**
   * Divides positive logits, and multiplies negative ones, of tokens that have already occurred, also in the prompt (arXiv 1909.05858). Values
   * above 1 discourage them. Default 1.
   */
  readonly repetitionPenalty?: number;
  /** Subtracted from a token's logit for each of its occurrences. Default 0. */
  readonly frequencyPenalty?: number;
  /** Subtracted from the logit of a token that has occurred, however often. Default 0. */
  readonly presencePenalty?: number;
  /** Number of most recent tokens that penalties consider, including those of the prompt. Default 64, as in llama.cpp; `Infinity` for all. */
  readonly penaltyWindow?: number;
}

/** Valid ranges of {@linkcode SamplingOptions}. */
export const samplingRules: OptionRules<SamplingOptions> = {
  temperature: { min: 0 },
  topK: { min: 1, infinite: true },
  topP: { min: 0, max: 1, above: true },
  minP: { min: 0, max: 1 },
};

/** Valid ranges of {@linkcode PenaltyOptions}. Penalties below 0 encourage repetition. */
export const penaltyRules: OptionRules<PenaltyOptions> = {
  repetitionPenalty: { min: 0, above: true },
  frequencyPenalty: { min: -100, max: 100 },
  presencePenalty: { min: -100, max: 100 },
  penaltyWindow: { min: 0, infinite: true },
};

/** A token that can be drawn. */
export interface TokenProbability {
  /** Token id. */
  readonly token: number;
  /** Probability among the remaining tokens. */
  readonly probability: number;
}

/**
 * The tokens that remain after all samplers, most likely first, with their probabilities.
 *
 * @throws {RangeError} when an option is out of range, or a logit is not finite.
 *
 * @example Top-k, then min-p, then temperature
 * ```ts
 * import { tokenProbabilities } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const logits = Float32Array.from([0.1, 0.2, 0.3, 0.4].map(Math.log));
 * const left = tokenProbabilities(logits, { topK: 3, minP: 0.6, temperature: 1 });
 * assertEquals(left.map(({ token }) => token), [3, 2]);
 * ```
 */
export function tokenProbabilities(
  logits: Float32Array,
  options: SamplingOptions = {},
): TokenProbability[] {
  const { temperature = 0, topK = Infinity, topP = 1, minP = 0 } = options;
  assertOptions("sample", options, samplingRules);
  assertFinite(logits);
  if (temperature === 0) {
    const token = logits.reduce((best, x, i) => x > logits[best] ? i : best, 0);
    return [{ token, probability: 1 }];
  }
  const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a])
    .slice(0, Math.min(topK, logits.length));
  const top = logits[order[0]];
  let kept = order.length;
  if (topP < 1) {
    const weights = order.map((i) => Math.exp(logits[i] - top));
    const wanted = topP * sumOf(weights);
    let mass = 0;
    kept = 0;
    while (kept < weights.length && mass < wanted) mass += weights[kept++];
  }
  if (minP > 0) {
    const least = top + Math.log(minP);
    while (kept > 1 && logits[order[kept - 1]] < least) kept--;
  }
  const left = order.slice(0, kept);
  const weights = left.map((i) => Math.exp((logits[i] - top) / temperature));
  const total = sumOf(weights);
  return left.map((token, i) => ({ token, probability: weights[i] / total }));
}

/**
 * Creates a function that chooses a token from logits and a uniform random number in [0, 1).
 *
 * @throws {RangeError} when an option is out of range. The returned function throws for a logit that is not finite.
 *
 * @example The most likely token
 * ```ts
 * import { sampler } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const choose = sampler({ temperature: 0 });
 * assertEquals(choose(new Float32Array([1, 3, 2]), 0.5), 1);
 * ```
 */
export function sampler(
  { temperature, topK, topP, minP }: SamplingOptions,
): (logits: Float32Array, uniform: number) => number {
  const options = given({ temperature, topK, topP, minP });
  assertOptions("sample", options, samplingRules);
  return (logits, uniform) => {
    const left = tokenProbabilities(logits, options);
    let mass = uniform;
    for (const { token, probability } of left) {
      mass -= probability;
      if (mass < 0) return token;
    }
    return left[left.length - 1].token;
  };
}

/** Applies penalties to the logits of tokens that have occurred, in place. */
export class Penalties {
  readonly #options: Required<PenaltyOptions>;
  readonly #recent: number[] = [];
  readonly #counts = new Map<number, number>();

  /** Starts without any tokens. */
  constructor(
    {
      repetitionPenalty = 1,
      frequencyPenalty = 0,
      presencePenalty = 0,
      penaltyWindow = 64,
    }: PenaltyOptions,
  ) {
    this.#options = { repetitionPenalty, frequencyPenalty, presencePenalty, penaltyWindow };
  }

  /** Whether the penalties change anything. */
  get act(): boolean {
    const { repetitionPenalty, frequencyPenalty, presencePenalty, penaltyWindow } = this.#options;
    return penaltyWindow > 0 &&
      (repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0);
  }

  /** Records the occurrence of a token. */
  see(token: number): void {
    if (!this.act) return;
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
    this.#recent.push(token);
    if (this.#recent.length <= this.#options.penaltyWindow) return;
    const old = this.#recent.shift() ?? 0;
    const left = (this.#counts.get(old) ?? 1) - 1;
    if (left === 0) this.#counts.delete(old);
    else this.#counts.set(old, left);
  }

  /** Changes logits according to the tokens that have occurred. */
  apply(logits: Float32Array): void {
    if (!this.act) return;
    const { repetitionPenalty, frequencyPenalty, presencePenalty } = this.#options;
    for (const [token, count] of this.#counts) {
      const logit = logits[token];
      const scaled = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      logits[token] = scaled - count * frequencyPenalty - presencePenalty;
    }
  }
}

/** Rejects logits that are not finite, so that a broken model does not seem to choose a token. */
function assertFinite(logits: Float32Array): void {
  const at = logits.findIndex((logit) => !Number.isFinite(logit));
  if (at < 0) return;
  throw new RangeError(
    `Cannot choose a token: the model's logit of token ${at} is ${
      logits[at]
    }. A weight is not finite, or offsets were trained too far: try fewer steps or a lower learning rate`,
  );
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, it) => sum + it, 0);
}

function given<T extends object>(entries: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(
    Object.entries(entries).filter(([, value]) => value !== undefined),
  ) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}
