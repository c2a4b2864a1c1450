/**
 * Data files from disk: opened in one place, read as a stream of text.
 *
 * @module
 */
import { attempting } from "../models/attempt.ts";
import { checkContents, CONTENTS_BYTES } from "../models/file_contents.ts";
import { checkFile, readingOf } from "../models/file_kinds.ts";
import { Pause } from "./pause.ts";
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
 * The text of a file, in pieces of about 256 KiB; no piece ends within a character.
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
  const buffer = new Uint8Array(pieceBytes);
  let done = 0;
  for (let count = await opened.read(buffer); count !== null; count = await opened.read(buffer)) {
    const bytes = buffer.subarray(0, count);
    if (done === 0 && (count >= CONTENTS_BYTES || count === opened.size)) {
      checkContents(bytes, opened.size, path, "data");
    }
    const piece = text.push(bytes);
    if (piece !== "") yield piece;
    done += count;
    onProgress?.(done, opened.size);
    if (pause.due) await pause.rest();
  }
  const last = text.end();
  if (last !== "") yield last;
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
