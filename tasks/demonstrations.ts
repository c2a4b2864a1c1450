/**
 * In-context learning: examples preceded by other examples with their answers.
 *
 * @module
 */
import { masterSeed } from "../optim/directions/seed.ts";
import { threefry2x32 } from "../optim/directions/threefry.ts";
import { scaledWord } from "./scaled_word.ts";
import type { RenderedExample } from "./template.ts";

/** Which demonstrations precede an example. */
export interface Shots {
  /** Number of demonstrations. */
  readonly count: number;
  /** Seed of their selection. Default 0. */
  readonly seed?: number;
  /** Whether all examples get the same ones, as in ZO-LLM; otherwise each gets its own, as in MeZO. Default false. */
  readonly same?: boolean;
}

/**
 * An example preceded by others with their correct answers, in the format of MeZO and the evaluation harness: separated by blank lines, without
 * white space around an answered example or before the first.
 *
 * @example One demonstration
 * ```ts
 * import { builtInTask, readTask, withDemonstrations } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const [shown, asked] = readTask(builtInTask("sst2"), "0 a bore\n1 a stirring film\n");
 * assertEquals(
 *   withDemonstrations(asked, [shown]).prompt,
 *   "a bore It was terrible\n\na stirring film It was",
 * );
 * ```
 */
export function withDemonstrations(
  example: RenderedExample,
  demonstrations: readonly RenderedExample[],
): RenderedExample {
  const answered = demonstrations.map(({ prompt, after = "", candidates, label }) =>
    (prompt + candidates[label] + after).trim()
  );
  return { ...example, prompt: [...answered, example.prompt].join("\n\n").trimStart() };
}

/** Separates these random numbers from those that permutations (`tasks/permutation.ts`) and the optimiser draw from the same seed. */
const domain = 0x3c000000;

/**
 * The demonstrations of an example: the indices of `count` different examples in random order, determined by the arguments alone. Fewer if there
 * are not enough.
 *
 * @param index Index of the example to answer, less than 2^26.
 * @param of Number of demonstrations to choose from.
 * @param but An index to exclude: that of the example itself.
 * @throws {RangeError} for arguments out of range.
 *
 * @example Different ones for each example, or the same for all
 * ```ts
 * import { demonstrationsFor } from "@qzo/qzo/tasks";
 * import { assertEquals, assertNotEquals } from "@std/assert";
 *
 * const first = demonstrationsFor(0, 100, { count: 8 });
 * assertEquals(new Set(first).size, 8);
 * assertNotEquals(demonstrationsFor(1, 100, { count: 8 }), first);
 * assertEquals(
 *   demonstrationsFor(1, 100, { count: 8, same: true }),
 *   demonstrationsFor(0, 100, { count: 8, same: true }),
 * );
 * ```
 */
export function demonstrationsFor(
  index: number,
  of: number,
  { count, seed = 0, same = false, but }: Shots & { readonly but?: number | undefined },
): number[] {
  for (
    const [name, value, most] of [["index", index, 2 ** 26], ["count", count, 2 ** 28]] as const
  ) {
    if (!Number.isInteger(value) || value < 0 || value >= most) {
      throw new RangeError(
        `Cannot choose demonstrations: ${name} ${value} is not an integer from 0 to ${most - 1}`,
      );
    }
  }
  const key = masterSeed(seed);
  const round = same ? 0 : index;
  const taken = new Set<number>(but === undefined ? [] : [but]);
  const chosen: number[] = [];
  const most = Math.min(count, of - (but === undefined || but >= of ? 0 : 1));
  for (let i = 0; chosen.length < most; i++) {
    const [word] = threefry2x32(key, [i, domain | round]);
    const one = scaledWord(word, of);
    if (taken.has(one)) continue;
    taken.add(one);
    chosen.push(one);
  }
  return chosen;
}
