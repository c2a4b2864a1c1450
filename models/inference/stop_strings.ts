/**
 * Finds strings that end generation in a text that arrives in pieces.
 *
 * @module
 */

/** Maximum number of strings, and maximum length of each. */
const most = { texts: 64, characters: 1024 };

/** Searches for the first of several strings. Text that may be the beginning of one is held back until this is certain. */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  /**
   * @throws {RangeError} when a string is empty or too long, or there are too many.
   * @throws {TypeError} when `stops` is not an array of strings.
   */
  constructor(stops: readonly string[]) {
    if (!Array.isArray(stops) || !stops.every((stop) => typeof stop === "string")) {
      throw new TypeError("Cannot generate: stop is not a list of strings");
    }
    const bad = stops.find((stop) => stop === "" || stop.length > most.characters);
    if (bad !== undefined || stops.length > most.texts) {
      throw new RangeError(
        `Cannot generate: stop ${
          bad === ""
            ? "has an empty text"
            : bad
            ? "has a text that is too long"
            : "has too many texts"
        }, expected at most ${most.texts} of 1 to ${most.characters} characters`,
      );
    }
    this.#stops = stops;
  }

  /** Returns the text that is certain after this piece, and whether one of the strings follows it. */
  push(piece: string): { readonly text: string; readonly found: boolean } {
    const all = this.#held + piece;
    const places = this.#stops.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
    if (places.length > 0) {
      this.#held = "";
      return { text: all.slice(0, Math.min(...places)), found: true };
    }
    let kept = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, all.length); length > kept; length--) {
        if (all.endsWith(stop.slice(0, length))) kept = length;
      }
    }
    this.#held = all.slice(all.length - kept);
    return { text: all.slice(0, all.length - kept), found: false };
  }

  /** Returns the text that was held back. Call it once, at the end. */
  end(): string {
    return this.#held;
  }
}
