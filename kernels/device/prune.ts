/**
 * Removes dispatches without any effect from a graph.
 *
 * @module
 */

import { type Dispatch, type Graph, type Value, valueOf } from "./graph.ts";

/** Removes, from dispatch `first` on, those that write only values which no later dispatch reads. */
export function prune({ dispatches }: Graph, first = 0): void {
  const read = new Set<Value>();
  const kept: Dispatch[] = [];
  for (const dispatch of dispatches.splice(first).toReversed()) {
    const isNeeded = Object.values(dispatch.writes).some((resource) => {
      const value = valueOf(resource);
      return !value || read.has(value);
    });
    if (!isNeeded) continue;
    kept.push(dispatch);
    for (const resource of Object.values(dispatch.reads)) {
      const value = resource && valueOf(resource);
      if (value) read.add(value);
    }
  }
  dispatches.push(...kept.reverse());
}
