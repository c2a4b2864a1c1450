/**
 * Suggests known names for a mistyped one.
 *
 * @module
 */
import { distance } from "fastest-levenshtein";

/**
 * At most `count` of `known`, closest first by edit distance, ignoring case. Names that differ in more than half of
 * their length are left out.
 *
 * @example A mistyped name
 * ```ts
 * import { nearestNames } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(nearestNames("q4-0", ["Q4_0", "Q8_0", "F16"], 1), ["Q4_0"]);
 * ```
 */
export function nearestNames(name: string, known: Iterable<string>, count = 3): string[] {
  const wanted = name.slice(0, 64).toLowerCase();
  return [...known]
    .map((candidate) => ({ candidate, edits: distance(wanted, candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, candidate.length / 2))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}
