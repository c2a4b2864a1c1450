/**
 * A terminal that keeps what is printed.
 *
 * @module
 */
import type { Terminal } from "../../show/terminal.ts";

/** What was printed on it. */
export interface Captured extends Terminal {
  /** Standard output. */
  readonly printed: string;
  /** Standard error. */
  readonly noted: string;
}

/** A terminal without colours or columns. */
export function capture(): Captured {
  let printed = "";
  let noted = "";
  return {
    get printed() {
      return printed;
    },
    get noted() {
      return noted;
    },
    out: (line) => void (printed += `${line}\n`),
    write: (text) => void (printed += text),
    note: (line) => void (noted += `${line}\n`),
    progress: { write: (text) => void (noted += text), columns: () => undefined },
    input: () => Promise.resolve(undefined),
  };
}
