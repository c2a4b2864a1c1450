/**
 * What stands between a row of a file and an example in tokens.
 *
 * @module
 */

import type { Example } from "../../models/batch.ts";
import type { RenderedExample } from "../../tasks/template.ts";

/** A row or document that is not in tokens yet. */
export interface Item {
  /** Where it begins, counted from 1. */
  readonly line: number;
  /** At once, but for long texts; `index` is its place in the file, counted from 0. */
  tokenised(index: number): Example | undefined | Promise<Example | undefined>;
  /** As text, where it is a task's. */
  readonly example?: RenderedExample;
}

/**
 * An item in tokens, at once where it can be: a promise for each of many rows takes longer than most of them.
 *
 * @throws What tokenising throws, with the item's line and its file's `name` in the message
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
