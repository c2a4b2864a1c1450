/**
 * Which known names a mistyped one may have meant.
 *
 * @module
 */

/**
 * At most `count` of `known`, nearest first by edit distance without regard to case; names at more than half of their
 * length away are left out.
 *
 * @example A typing error
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
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, candidate.length / 2))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const current = [i + 1];
    for (let j = 0; j < b.length; j++) {
      current.push(
        Math.min(previous[j] + (a[i] === b[j] ? 0 : 1), previous[j + 1] + 1, current[j] + 1),
      );
    }
    previous = current;
  }
  return previous[b.length];
}
