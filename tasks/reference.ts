/**
 * What a metric knows of an example besides the index of its right candidate.
 *
 * @module
 */

/** What is right, in the words that metrics compare. */
export interface Reference {
  /** Texts that a generated answer, or what was chosen, is compared with; the best counts. */
  readonly answers?: readonly string[];
  /** The same as lists of parts, which DROP's own metric compares one by one. */
  readonly spans?: readonly (readonly string[])[];
  /** What each candidate stands for, where it is more than that: the entity in a whole sentence. */
  readonly texts?: readonly string[];
  /** Names the question that several examples are about. */
  readonly question?: string;
}
