/**
 * Bytes with their position in a file.
 *
 * @module
 */

/** Bytes to be written at an offset of a file. */
export interface PlacedBytes {
  /** Offset from the start of the file in bytes. */
  readonly offset: number;
  /** The bytes. */
  readonly bytes: Uint8Array;
}
