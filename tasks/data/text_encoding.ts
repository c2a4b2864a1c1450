/**
 * Decodes the bytes of data files. The encoding that a file states is used, and bytes that do not fit are an error with their position.
 * Encodings are never guessed, because text in the wrong encoding would train a model on other words.
 *
 * @module
 */

/** The encodings that {@linkcode TextBytes} supports. */
export const textEncodings = ["utf-8", "utf-16le", "utf-16be", "latin1", "windows-1252"] as const;

/**
 * An encoding of text. `latin1` is ISO 8859-1, in which each byte is the character with that number. `windows-1252` differs in 0x80 to 0x9f
 * (quotation marks, dashes, the euro sign). UTF-16 with a byte order mark is detected.
 */
export type TextEncoding = (typeof textEncodings)[number];

/** Byte order marks, longer ones first, because UTF-16's is the beginning of UTF-32's. */
const marks: readonly (readonly [readonly number[], TextEncoding | undefined, string])[] = [
  [[0xff, 0xfe, 0, 0], undefined, "UTF-32"],
  [[0, 0, 0xfe, 0xff], undefined, "UTF-32"],
  [[0xef, 0xbb, 0xbf], "utf-8", "UTF-8"],
  [[0xff, 0xfe], "utf-16le", "UTF-16"],
  [[0xfe, 0xff], "utf-16be", "UTF-16"],
];

/** Length of the longest byte order mark in bytes. */
const longestMark = 4;

/** Decodes a file's bytes as they arrive. */
export class TextBytes {
  readonly #name: string;
  readonly #wanted: TextEncoding | undefined;
  #encoding: TextEncoding = "utf-8";
  #begun = false;
  /** Bytes at the end that are an incomplete character. */
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array();
  /** Offset in the file of the first byte of `#rest`. */
  #offset = 0;
  #line = 1;

  /**
   * @param name Name of the file in errors.
   * @param encoding Encoding of the text. Default: as its byte order mark says, or UTF-8 without one.
   */
  constructor(name: string, encoding?: TextEncoding) {
    this.#name = name;
    this.#wanted = encoding;
  }

  /**
   * Decodes more bytes, and returns the text that is now complete. A byte order mark is dropped.
   *
   * @throws {SyntaxError} with byte offset and line, for bytes that are not valid in the encoding, including NUL, and for a file whose byte
   * order mark contradicts the given encoding.
   */
  push(bytes: Uint8Array<ArrayBuffer>): string {
    const all = this.#rest.length > 0 ? joined(this.#rest, bytes) : bytes;
    if (!this.#begun && all.length < longestMark) {
      this.#rest = all.slice();
      return "";
    }
    const from = this.#begun ? 0 : this.#begin(all);
    const end = from + wholeLength(all.subarray(from), this.#encoding);
    this.#rest = all.slice(end);
    return this.#decode(all.subarray(from, end));
  }

  /**
   * Returns the text of the last bytes.
   *
   * @throws {SyntaxError} as {@linkcode TextBytes.push}.
   */
  end(): string {
    const rest = this.#rest;
    this.#rest = new Uint8Array();
    return this.#decode(rest.subarray(this.#begun ? 0 : this.#begin(rest)));
  }

  /** Examines the first bytes of a file and returns the length of its byte order mark. */
  #begin(head: Uint8Array<ArrayBuffer>): number {
    this.#begun = true;
    const begins = (with_: readonly number[]): boolean =>
      with_.length <= head.length && with_.every((byte, i) => head[i] === byte);
    const mark = marks.find(([bytes]) => begins(bytes));
    if (mark !== undefined) {
      const [bytes, encoding, spelled] = mark;
      if (encoding === undefined) {
        throw new SyntaxError(
          `Cannot read ${this.#name}: according to its byte order mark it is ${spelled}, which is not supported; convert it to UTF-8 (iconv -f ${spelled} -t UTF-8)`,
        );
      }
      if (this.#wanted !== undefined && this.#wanted !== encoding) {
        throw new SyntaxError(
          `Cannot read ${this.#name} as ${this.#wanted}: its byte order mark says ${spelled}; leave out the encoding`,
        );
      }
      this.#encoding = encoding;
      this.#offset = bytes.length;
      return bytes.length;
    }
    this.#encoding = this.#wanted ?? "utf-8";
    return 0;
  }

  #decode(bytes: Uint8Array<ArrayBuffer>): string {
    const text = decoded(bytes, this.#encoding);
    if (text === undefined) throw this.#refused(bytes);
    const nul = text.indexOf("\0");
    if (nul >= 0) throw this.#nul(bytes);
    this.#offset += bytes.length;
    this.#line += linesIn(text);
    return text;
  }

  #refused(bytes: Uint8Array<ArrayBuffer>): SyntaxError {
    const at = firstBad(bytes, this.#encoding);
    const before = decoded(bytes.subarray(0, at), this.#encoding) ?? "";
    const place = `byte ${hex(bytes[at])} at offset ${this.#offset + at} (line ${
      this.#line + linesIn(before)
    })`;
    return new SyntaxError(
      this.#encoding === "utf-8"
        ? `Cannot read ${this.#name} as UTF-8: ${place} does not start a valid character. Fix it there; if the file is in another encoding, convert it (iconv -t UTF-8), or set data.encoding to latin1 or windows-1252`
        : `Cannot read ${this.#name} as ${this.#encoding}: ${place} does not start a valid character. Fix it there, or convert the file to UTF-8`,
    );
  }

  #nul(bytes: Uint8Array<ArrayBuffer>): SyntaxError {
    const wide = this.#encoding.startsWith("utf-16");
    const at = wide
      ? bytes.findIndex((byte, i) => i % 2 === 0 && byte + bytes[i + 1] === 0)
      : bytes.indexOf(0);
    const before = decoded(bytes.subarray(0, at), this.#encoding) ?? "";
    const place = `a NUL at byte offset ${this.#offset + at} (line ${
      this.#line + linesIn(before)
    })`;
    const order = wide ? undefined : wideOrder(bytes);
    return new SyntaxError(
      order === undefined
        ? `Cannot read ${this.#name} as text: it has ${place}, so it is damaged or not a text file`
        : `Cannot read ${this.#name} as ${this.#encoding}: it has ${place}, and every other byte is NUL too. It looks like UTF-16 without a byte order mark: convert it to UTF-8, or set data.encoding to ${order}`,
    );
  }
}

/** Decodes bytes. Undefined if they are not valid in the encoding. */
function decoded(bytes: Uint8Array<ArrayBuffer>, encoding: TextEncoding): string | undefined {
  if (encoding === "latin1") return latin1(bytes);
  try {
    // ignoreBOM, because a mark within a file is an ordinary character. The caller removes the first one.
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Decodes ISO 8859-1, because TextDecoder takes "latin1" to mean windows-1252. */
function latin1(bytes: Uint8Array<ArrayBuffer>): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

/** Number of bytes without an incomplete character at the end. */
function wholeLength(bytes: Uint8Array<ArrayBuffer>, encoding: TextEncoding): number {
  const { length } = bytes;
  if (encoding === "utf-8") {
    for (let back = 1; back <= Math.min(3, length); back++) {
      const byte = bytes[length - back];
      if (byte < 0x80) return length;
      if (byte >= 0xc0) {
        return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? length - back : length;
      }
    }
    return length;
  }
  if (encoding !== "utf-16le" && encoding !== "utf-16be") return length;
  const even = length - length % 2;
  const high = bytes[even - (encoding === "utf-16le" ? 1 : 2)];
  return even > 0 && high >= 0xd8 && high < 0xdc ? even - 2 : even;
}

/** Offset of the first invalid character. */
function firstBad(bytes: Uint8Array<ArrayBuffer>, encoding: TextEncoding): number {
  const begins = (length: number): boolean => {
    try {
      new TextDecoder(encoding, { fatal: true }).decode(bytes.subarray(0, length), {
        stream: true,
      });
      return true;
    } catch {
      return false;
    }
  };
  let [good, bad] = [0, bytes.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (begins(middle)) good = middle;
    else bad = middle;
  }
  while (good > 0 && decoded(bytes.subarray(0, good), encoding) === undefined) good--;
  return good;
}

/** The byte order of text that looks like UTF-16, in which nearly all NUL bytes are on one side. */
function wideOrder(bytes: Uint8Array<ArrayBuffer>): TextEncoding | undefined {
  const seen = bytes.subarray(0, 4096);
  const count = [0, 0];
  seen.forEach((byte, i) => byte === 0 && count[i % 2]++);
  const [even, odd] = count;
  if (even + odd < seen.length / 4) return undefined;
  return odd > 8 * even ? "utf-16le" : even > 8 * odd ? "utf-16be" : undefined;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function linesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}
