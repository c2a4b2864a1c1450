/**
 * Bytes with their place in a file.
 *
 * @module
 */

/** Bytes that belong at an offset of a file. */
export interface PlacedBytes {
  /** From the start of the file. */
  readonly offset: number;
  /** What stands there. */
  readonly bytes: Uint8Array;
}
