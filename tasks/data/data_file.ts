/**
 * Data files from disk: opened in one place, read as a stream of text.
 *
 * @module
 */
import { attempting } from "../../models/checkpoints/disk/attempt.ts";
import { checkContents, CONTENTS_BYTES } from "../../models/checkpoints/disk/file_contents.ts";
import { checkFile, readingOf } from "../../models/checkpoints/disk/file_kinds.ts";
import { gunzipped, isGzip } from "./gunzip.ts";
import { Pause } from "../pause.ts";
import { TextBytes, type TextEncoding } from "./text_encoding.ts";

/** How to read a data file. */
export interface DataFileOptions {
  /** Default: what the file's byte order mark says, UTF-8 without one. */
  readonly encoding?: TextEncoding | undefined;
  /** Who named the file, or what to do when it is not there: a sentence without its full stop. */
  readonly hint?: string | undefined;
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes read and those there are. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const pieceBytes = 1 << 18;

/**
 * The text of a file, in pieces of about 256 KiB; no piece ends within a character. What is packed with gzip, by its first bytes, is unpacked.
 *
 * @throws {Deno.errors.NotFound} when there is no such file; what else the system answers, in words.
 * @throws TypeError for what is no regular file; RangeError for one that is no text (packed, a pointer, a page); SyntaxError as
 * {@linkcode TextBytes} says.
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

/** The bytes of a file, one piece ahead of who takes them. Each piece is another array: who unpacks holds several. */
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
    next.catch(() => {}); // It is awaited next, or by nobody when the caller leaves.
    done += piece.length;
    yield piece;
    onProgress?.(done, file.size);
  }
}

async function* ahead(first: Uint8Array<ArrayBuffer>, rest: Pieces): Pieces {
  if (first.length > 0) yield first;
  yield* rest;
}

/** Looks at the first {@linkcode CONTENTS_BYTES} bytes, or all, before any is used. */
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

/** The one place where a data file is opened: looked at before, so that no pipe or device is waited for. */
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
