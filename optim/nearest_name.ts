/**
 * Which known name a mistyped one may have meant.
 *
 * @module
 */
import { distance } from "fastest-levenshtein";

/** The nearest of `known`, without regard to case and underscores; undefined where none is near. */
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
