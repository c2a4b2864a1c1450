/**
 * Matrices of cases of which a run takes a part, another one each day: together they are all run, and no day costs what all of them do.
 *
 * `QZO_SEED` chooses the part; by default it is the date (UTC, as 20261129), which `scripts/suite.ts` prints. `QZO_CASES=all` runs every case.
 * `QZO_SHARE` (1 by default) takes a part of the part, on adapters where all take long.
 *
 * @module
 */
import { allCases, sampleSeed } from "../../scripts/sample_seed.ts";
import { randomNumbers } from "./random_llama.ts";

export { allCases, sampleSeed };

const ofAll = Number(Deno.env.get("QZO_SHARE") ?? 1);

/**
 * A share of `cases` in their order, at least one.
 *
 * @param name Of the matrix: others of one length are sampled otherwise
 * @param share Of 1; 1 takes all but where `QZO_SHARE` is less
 */
export function sampled<T>(
  name: string,
  cases: readonly T[],
  share: number = 1,
  settings: { seed?: number; all?: boolean; share?: number } = {},
): T[] {
  const { seed = sampleSeed } = settings;
  const part = settings.all ?? allCases ? 1 : share * (settings.share ?? ofAll);
  const count = Math.min(cases.length, Math.max(1, Math.ceil(cases.length * part)));
  const random = numbersBy(name, seed);
  const drawn = cases.map((_, i) => ({ i, key: random() })).sort((a, b) => a.key - b.key);
  const taken = new Set(drawn.slice(0, count).map(({ i }) => i));
  return cases.filter((_, i) => taken.has(i));
}

/** Random numbers of a case: the same whichever others are run before it. */
export function numbersBy(name: string, seed = 0): () => number {
  return randomNumbers(
    [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), seed),
  );
}

/** A share of the numbers from 0 to `count - 1`, in order: seeds of damage and such. */
export function sampledNumbers(name: string, count: number, share: number): number[] {
  return sampled(name, Array.from({ length: count }, (_, i) => i), share);
}
