/**
 * Opens data files on disk and reads them as a stream of text.
 *
 * @module
 */
import { attempting } from "../../models/checkpoints/disk/attempt.ts";
import { checkContents, CONTENTS_BYTES } from "../../models/checkpoints/disk/file_contents.ts";
import { checkFile, readingOf } from "../../models/checkpoints/disk/file_kinds.ts";
import { gunzipped, isGzip } from "./gunzip.ts";
import { Pause } from "../pause.ts";
import { TextBytes, type TextEncoding } from "./text_encoding.ts";

/** Options for reading a data file. */
export interface DataFileOptions {
  /** Encoding of the text. Default: as the file's byte order mark says, or UTF-8 without one. */
  readonly encoding?: TextEncoding | undefined;
  /** The origin of the file's name, or what to do if the file does not exist. A sentence without its full stop. */
  readonly hint?: string | undefined;
  /** Aborts reading. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes read and their total. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const pieceBytes = 1 << 18;

/**
 * The text of a file, in pieces of about 256 KiB. No piece ends within a character. A file that starts like gzip is decompressed.
 *
 * @throws {Deno.errors.NotFound} when the file does not exist. Other errors of the system are translated too.
 * @throws {TypeError} when it is not a regular file.
 * @throws {RangeError} when it is not text (an archive, a pointer, a web page).
 * @throws {SyntaxError} as {@linkcode TextBytes}.
 */
export async function* dataChunks(
  path: string,
  { encoding, hint, signal, onProgress }: DataFileOptions = {},
): AsyncGenerator<string> {
  using opened = await openDataFile(path, hint);
  const text = new TextBytes(path, encoding);
  const pause = new Pause(signal);
  const stored = pieces(opened, onProgress);
  const { value: first = new Uint8Array() } = await stored.next();
  const whole = ahead(first, stored);
  const unpacked = isGzip(first) ? gunzipped(whole, path) : whole;
  for await (const bytes of checked(unpacked, path)) {
    const piece = text.push(bytes);
    if (piece !== "") yield piece;
    if (pause.due) await pause.rest();
  }
  const last = text.end();
  if (last !== "") yield last;
}

type Pieces = AsyncGenerator<Uint8Array<ArrayBuffer>>;

/** The bytes of a file, read one piece ahead. Each piece is a new array, because decompression holds several of them. */
async function* pieces(file: OpenedFile, onProgress: DataFileOptions["onProgress"]): Pieces {
  const read = async () => {
    const buffer = new Uint8Array(pieceBytes);
    const count = await file.read(buffer);
    return count === null ? undefined : buffer.subarray(0, count);
  };
  let done = 0;
  for (let next = read();;) {
    const piece = await next;
    if (piece === undefined) return;
    next = read();
    next.catch(() => {}); // Awaited next, or not at all if the caller stops.
    done += piece.length;
    yield piece;
    onProgress?.(done, file.size);
  }
}

async function* ahead(first: Uint8Array<ArrayBuffer>, rest: Pieces): Pieces {
  if (first.length > 0) yield first;
  yield* rest;
}

/** Checks the first {@linkcode CONTENTS_BYTES} bytes, or all of them if there are fewer, before any are used. */
async function* checked(bytes: Pieces, path: string): Pieces {
  let head: Uint8Array<ArrayBuffer> | undefined = new Uint8Array();
  for await (const piece of bytes) {
    if (head === undefined) {
      yield piece;
      continue;
    }
    const seen: Uint8Array<ArrayBuffer> = head.length === 0
      ? piece
      : new Uint8Array([...head, ...piece]);
    if (seen.length < CONTENTS_BYTES) {
      head = seen;
      continue;
    }
    checkContents(seen, seen.length, path, "data");
    head = undefined;
    yield seen;
  }
  if (head !== undefined && head.length > 0) {
    checkContents(head, head.length, path, "data");
    yield head;
  }
}

interface OpenedFile extends Disposable {
  readonly size: number;
  read(into: Uint8Array): Promise<number | null>;
}

/** Opens a data file. Its type is checked first, so that opening never waits for a pipe or device. */
async function openDataFile(path: string, given?: string): Promise<OpenedFile> {
  const hint = /(^|[\\/])~[\\/]/.test(path)
    ? '"~" is for the shell to replace: write the folder in full'
    : given;
  return await attempting(readingOf("data", path, hint), async () => {
    const found = await Deno.stat(path);
    checkFile(found, path, "data");
    const file = await Deno.open(path);
    return {
      size: found.size,
      read: (into) => file.read(into),
      [Symbol.dispose]: () => file.close(),
    };
  });
}
