/**
 * Little-endian scalars and strings from the start of a file whose header has no stated length.
 *
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import { escapedText } from "./escaped_text.ts";

const FIRST_PIECE = 64 * 1024;
// Far above any real vocabulary (12 MB), and far below what a false length could claim in a large file. Texts are kept while a model is open.
const LARGEST_HEADER = 64 * 1024 * 1024;
/** List entries of a whole header: the largest vocabularies have 0.3 million tokens and 0.6 million merges. */
const MOST_ENTRIES = 2 ** 21;
const LARGEST_PIECE = 4 * 1024 * 1024;
const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a header front to back, fetching growing pieces. Holds one piece at a time.
 *
 * `await reader.need(n, field)` makes `n` bytes available; the getters after it are synchronous, so that loops over
 * large arrays wait only when a piece ends.
 */
export class HeaderReader {
  /** The file. */
  readonly source: ByteSource;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #view: DataView<ArrayBuffer> = new DataView(this.#bytes.buffer);
  #at = 0;
  #fetched = 0;
  #piece = FIRST_PIECE;
  #entries = 0;

  /** Starts at the file's first byte. */
  constructor(source: ByteSource) {
    this.source = source;
  }

  /** Bytes read so far: the absolute position in the file. */
  get position(): number {
    return this.#fetched - this.#bytes.length + this.#at;
  }

  /** Bytes between the position and the end of the file, or of the largest header that is read: 64 MiB. */
  get remaining(): number {
    return Math.min(this.source.size, LARGEST_HEADER) - this.position;
  }

  /** Bytes that getters can take without another `need`. */
  get available(): number {
    return this.#bytes.length - this.#at;
  }

  /** Counts the entries of a list before they are built. @throws {RangeError} naming `field` when the header has too many */
  count(entries: number, field: string): void {
    this.#entries += entries;
    if (this.#entries > MOST_ENTRIES) {
      throw new RangeError(
        `Cannot read ${field} of "${this.source.name}": its ${entries} entries bring the header's lists to ${this.#entries}, at most ${MOST_ENTRIES} are allowed`,
      );
    }
  }

  /** Makes `count` bytes available. @throws {RangeError} naming `field` when the file ends before them. */
  async need(count: number, field: string): Promise<void> {
    if (count <= this.available) return;
    if (count > this.remaining) {
      throw new RangeError(
        `Cannot read ${field} of "${this.source.name}": ${count} bytes at ${this.position} extend beyond ` +
          (this.source.size > LARGEST_HEADER
            ? `the ${LARGEST_HEADER} bytes allowed for a header`
            : `the file's ${this.source.size} bytes`),
      );
    }
    const length = Math.min(
      Math.max(count - this.available, this.#piece),
      this.source.size - this.#fetched,
    );
    const piece = await this.source.read(this.#fetched, length);
    this.#fetched += length;
    this.#piece = Math.min(this.#piece * 2, LARGEST_PIECE);
    const rest = this.#bytes.subarray(this.#at);
    const joined = new Uint8Array(rest.length + piece.length);
    joined.set(rest);
    joined.set(piece, rest.length);
    this.#bytes = joined;
    this.#view = new DataView(joined.buffer);
    this.#at = 0;
  }

  /** The next `count` available bytes, copied. */
  take(count: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(this.#at, this.#at += count);
  }

  /** One byte. */
  uint8(): number {
    return this.#bytes[this.#at++];
  }

  /** Four bytes. */
  uint32(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  /** The next four available bytes, without moving past them. */
  peekUint32(): number {
    return this.#view.getUint32(this.#at, true);
  }

  /** Eight bytes as a number: exact below 2^53, and still beyond any file's size above. */
  uint64(): number {
    const low = this.uint32();
    return low + this.uint32() * 2 ** 32;
  }

  /** `length` available bytes as UTF-8. Invalid bytes become their own code units ({@linkcode escapedText}) or, with `strict`, throw a TypeError. */
  text(length: number, strict = false): string {
    const start = this.#at;
    this.#at += length;
    // Most tokens of a vocabulary are a few ASCII letters, for which this is faster than calling the decoder.
    if (length <= 32) {
      let text = "";
      let i = start;
      while (i < this.#at && this.#bytes[i] < 128) text += String.fromCharCode(this.#bytes[i++]);
      if (i === this.#at) return text;
    }
    const bytes = this.#bytes.subarray(start, this.#at);
    return strict ? strictText.decode(bytes) : escapedText(bytes);
  }
}
