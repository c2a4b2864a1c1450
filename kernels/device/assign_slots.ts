/**
 * Assigns buffers to intermediate results. Results that do not live at the same time share a buffer.
 *
 * @module
 */

/** When an intermediate result is needed. */
export interface Lifetime {
  /** Size in bytes. */
  readonly bytes: number;
  /** Index of the dispatch that writes it. */
  readonly first: number;
  /** Index of the last dispatch that reads or writes it. */
  readonly last: number;
}

/**
 * Assigns a slot to each result, largest result first: the largest slot that is free while the result lives, or a new slot of the result's size. No
 * slot is larger than its largest result, and results that live long do not take slots that larger ones need.
 *
 * @returns The bytes of each slot, and the slot of each result.
 *
 * Source: greedy by size, in Pisarchyk and Lee, Efficient memory management for deep neural net inference (arXiv 2001.03288).
 *
 * @example A small result that lives long, and large ones before and after it begins
 * ```ts
 * import { assignSlots } from "./assign_slots.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const large = { bytes: 1024, first: 0, last: 1 };
 * const long = { bytes: 256, first: 2, last: 9 };
 * const other = { bytes: 512, first: 3, last: 4 };
 * assertEquals(assignSlots([large, long, other]), { slots: [1024, 256], slotOf: [0, 1, 0] });
 * ```
 */
export function assignSlots(
  results: readonly Lifetime[],
): { readonly slots: number[]; readonly slotOf: number[] } {
  const order = results.map((_, i) => i).sort((a, b) =>
    results[b].bytes - results[a].bytes || results[a].first - results[b].first
  );
  const slots: number[] = [];
  /** Lifetimes in each slot, in order. */
  const lives: Lifetime[][] = [];
  const slotOf: number[] = [];
  for (const i of order) {
    let place = -1;
    let slot = lives.findIndex((others) => (place = placeIn(others, results[i])) >= 0);
    if (slot < 0) {
      slot = slots.push(results[i].bytes) - 1;
      lives.push([results[i]]);
    } else {
      lives[slot].splice(place, 0, results[i]);
    }
    slotOf[i] = slot;
  }
  return { slots, slotOf };
}

/** Index at which a lifetime fits between others, or -1 if it overlaps one. */
function placeIn(lives: readonly Lifetime[], { first, last }: Lifetime): number {
  let low = 0;
  for (let high = lives.length; low < high;) {
    const middle = (low + high) >> 1;
    if (lives[middle].last < first) low = middle + 1;
    else high = middle;
  }
  return low === lives.length || last < lives[low].first ? low : -1;
}
