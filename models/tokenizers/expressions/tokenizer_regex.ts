/**
 * Rejects regular expressions that take exponential time. A tokenizer's file contains its own expressions, and JavaScript's engine backtracks. No
 * pre-tokenizer in use repeats a group that itself contains a repetition or alternatives.
 *
 * @module
 */

const maximumLength = 16_384;
/** A repetition up to this count is considered bounded. */
const boundedRepeats = 8;

/**
 * Rejects expressions with a repeated group that contains a repetition or an alternative.
 *
 * @throws {RangeError} when there is one. The message gives its position in the expression.
 */
export function checkRegex(source: string, where: string): void {
  if (source.length > maximumLength) {
    throw new RangeError(`Cannot use the expression of ${where}: ${source.length} characters`);
  }
  // An entry for each open group: whether backtracking into it has more than one way.
  const ambiguous: boolean[] = [false];
  // Whether the last atom was a group, and if so whether it was ambiguous.
  let closed = false;
  let lastGroup = false;
  for (let i = 0; i < source.length;) {
    const character = source[i];
    if (character === "\\") {
      i += 2;
      closed = false;
    } else if (character === "[") {
      i = endOfClass(source, i);
      closed = false;
    } else if (character === "(") {
      ambiguous.push(false);
      closed = false;
      i += 1;
    } else if (character === ")") {
      lastGroup = ambiguous.length > 1 && (ambiguous.pop() ?? false);
      if (lastGroup) ambiguous[ambiguous.length - 1] = true;
      closed = true;
      i += 1;
    } else if (character === "|") {
      if (ambiguous.length > 1) ambiguous[ambiguous.length - 1] = true;
      closed = false;
      i += 1;
    } else {
      const repeat = repetition(source, i);
      if (repeat !== undefined) {
        if (repeat.unbounded) {
          if (closed && lastGroup) {
            throw new RangeError(
              `Cannot use the expression of ${where}: the group repeated at character ${i} can match in many ways, ` +
                "which may take exponential time",
            );
          }
          ambiguous[ambiguous.length - 1] = true;
        }
        i = repeat.end;
      } else {
        closed = false;
        i += 1;
      }
    }
  }
}

/** The index after a character class, which may contain nested classes. */
function endOfClass(source: string, start: number): number {
  let depth = 0;
  for (let i = start; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "[") depth++;
    // A bracket directly after the opening one is a member of the class.
    else if (source[i] === "]" && !/^\[\^?$/.test(source.slice(start, i)) && --depth === 0) {
      return i + 1;
    }
  }
  return source.length;
}

function repetition(source: string, at: number): { unbounded: boolean; end: number } | undefined {
  const match = /^(?:([*+?])|\{(\d*)(,?)(\d*)\})[?+]?/.exec(source.slice(at, at + 24));
  if (match === null) return undefined;
  const [text, sign, low, comma, high] = match;
  const most = sign !== undefined
    ? (sign === "?" ? 1 : Infinity)
    : comma === ""
    ? Number(low)
    : high === ""
    ? Infinity
    : Number(high);
  return { unbounded: most > boundedRepeats, end: at + text.length };
}
