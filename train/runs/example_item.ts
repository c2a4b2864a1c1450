/**
 * The step between a row of a file and a tokenised example.
 *
 * @module
 */

import type { Example } from "../../models/batch.ts";
import type { RenderedExample } from "../../tasks/template.ts";

/** A row or document that has not been tokenised yet. */
export interface Item {
  /** Number of its first line, counted from 1. */
  readonly line: number;
  /** Tokenises the item, asynchronously only for long texts. `index` is its position in the file, counted from 0. */
  tokenised(index: number): Example | undefined | Promise<Example | undefined>;
  /** The example as text. Only for tasks. */
  readonly example?: RenderedExample;
}

/**
 * Tokenises an item, synchronously if possible, because a promise for each of many rows takes longer than tokenising most of them.
 *
 * @throws whatever tokenising throws, with the item's line and its file's `name` in the message.
 */
export function tokenisedItem(
  { line, tokenised }: Item,
  index: number,
  name: string,
): Example | undefined | Promise<Example | undefined> {
  const placed = (error: unknown): never => {
    if (error instanceof RangeError || error instanceof TypeError) {
      error.message += ` (line ${line} of ${name})`;
    }
    throw error;
  };
  try {
    const made = tokenised(index);
    return made instanceof Promise ? made.catch(placed) : made;
  } catch (error) {
    return placed(error);
  }
}
