/**
 * Data files from disk: opened in one place, read as a stream of text.
 *
 * @module
 */
import { Pause } from "./pause.ts";
import { TextBytes, type TextEncoding } from "./text_encoding.ts";

/** How to read a data file. */
export interface DataFileOptions {
  /** Default: what the file's byte order mark says, UTF-8 without one. */
  readonly encoding?: TextEncoding | undefined;
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the bytes read and those there are. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const pieceBytes = 1 << 18;

/**
 * The text of a file, in pieces of about 256 KiB; no piece ends within a character.
 *
 * @throws {Deno.errors.NotFound} when there is no such file; what else opening a file throws.
 * @throws TypeError for what is no regular file; SyntaxError as {@linkcode TextBytes} says.
 */
export async function* dataChunks(
  path: string,
  { encoding, signal, onProgress }: DataFileOptions = {},
): AsyncGenerator<string> {
  using opened = await openDataFile(path);
  const text = new TextBytes(path, encoding);
  const pause = new Pause(signal);
  const buffer = new Uint8Array(pieceBytes);
  let done = 0;
  for (let count = await opened.read(buffer); count !== null; count = await opened.read(buffer)) {
    const piece = text.push(buffer.subarray(0, count));
    if (piece !== "") yield piece;
    done += count;
    if (pause.due) {
      onProgress?.(done, opened.size);
      await pause.rest();
    }
  }
  const last = text.end();
  if (last !== "") yield last;
}

interface OpenedFile extends Disposable {
  readonly size: number;
  read(into: Uint8Array): Promise<number | null>;
}

/** The one place where a data file is opened: only what is a regular file, and looked at before. */
async function openDataFile(path: string): Promise<OpenedFile> {
  let found: Deno.FileInfo;
  try {
    found = await Deno.stat(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    const home = /(^|[\\/])~[\\/]/.test(path)
      ? '; "~" is for the shell to replace: write the folder in full'
      : "";
    throw new Deno.errors.NotFound(`Cannot read data file "${path}": there is none${home}`, {
      cause,
    });
  }
  if (!found.isFile) {
    throw new TypeError(
      `Cannot read data file "${path}": it is ${
        found.isDirectory ? "a folder; name the file within it" : "no regular file"
      }`,
    );
  }
  const file = await Deno.open(path);
  return {
    size: found.size,
    read: (into) => file.read(into),
    [Symbol.dispose]: () => file.close(),
  };
}
