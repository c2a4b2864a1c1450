/**
 * What a metric needs to know about an example besides the index of its correct candidate.
 *
 * @module
 */

/** The correct answer, in the form that metrics compare. */
export interface Reference {
  /** Texts with which a generated answer, or the chosen candidate, is compared. The best match counts. */
  readonly answers?: readonly string[];
  /** Answers as lists of parts, which DROP's own metric compares one by one. */
  readonly spans?: readonly (readonly string[])[];
  /** The text that each candidate stands for, if it differs from the candidate, such as an entity within a whole sentence. */
  readonly texts?: readonly string[];
  /** Identifies the question that several examples belong to. */
  readonly question?: string;
}
