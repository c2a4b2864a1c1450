/**
 * Finds the known name closest to a mistyped one.
 *
 * @module
 */
import { distance } from "fastest-levenshtein";

/** The closest name in `known`, ignoring case and underscores. Undefined if none is close. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.slice(0, 64).replaceAll("_", "").toLowerCase();
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of known) {
    const cost = distance(plain(name), plain(candidate));
    if (cost < least && cost <= Math.max(1, candidate.length / 3)) {
      [best, least] = [candidate, cost];
    }
  }
  return best;
}
