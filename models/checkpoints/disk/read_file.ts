/**
 * The single way to read a whole file: it must be a regular file within the size limit of its kind, otherwise it is rejected before it is read.
 *
 * @module
 */
import { checkJson, JSON_BOUNDS } from "../../../quant/files/json_bounds.ts";
import { attempting, attemptingNow } from "./attempt.ts";
import { checkContents } from "./file_contents.ts";
import { checkFile, type FileKindName, readingOf } from "./file_kinds.ts";

/** Options for reading a file. */
export interface ReadFileOptions {
  /** What to do if the file does not exist, or where its path came from. A sentence without its full stop. */
  readonly hint?: string | undefined;
}

/** At most `size` bytes from the start of an open file. Anything appended meanwhile is not read. */
async function bytesOf(file: Deno.FsFile, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const n = await file.read(bytes.subarray(done));
    if (n === null) break;
    done += n;
  }
  return bytes.subarray(0, done);
}

/**
 * Reads the bytes of a file. Its type is checked before it is opened, because opening a pipe would wait and a device has no end.
 *
 * @throws {TypeError} when it is not a regular file.
 * @throws {RangeError} when it is larger than its kind allows, or is something else: a Git LFS pointer, an archive.
 * @throws {Deno.errors.NotFound} when it does not exist. Other errors of the system are thrown with readable messages.
 */
export async function readFileBytes(
  path: string,
  kind: FileKindName,
  { hint }: ReadFileOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await attempting(readingOf(kind, path, hint), async () => {
    checkFile(await Deno.stat(path), path, kind);
    using file = await Deno.open(path);
    const info = await file.stat();
    checkFile(info, path, kind);
    return await bytesOf(file, info.size);
  });
  checkContents(bytes, bytes.length, path, kind);
  return bytes;
}

/**
 * Reads a text file in UTF-8, or in UTF-16 if it has such a byte order mark. The mark is removed.
 *
 * @throws {SyntaxError} when the text is not valid in its encoding. The message gives the offset of the first invalid byte.
 * @throws As {@linkcode readFileBytes} does.
 */
export async function readFileText(
  path: string,
  kind: FileKindName,
  options: ReadFileOptions = {},
): Promise<string> {
  return textOf(await readFileBytes(path, kind, options), path);
}

/** {@linkcode readFileText} for a file that may be missing. A broken link is an error. */
export async function readOptionalText(
  path: string,
  kind: FileKindName,
): Promise<string | undefined> {
  const bytes = await readOptionalBytes(path, kind);
  return bytes && textOf(bytes, path);
}

async function readOptionalBytes(
  path: string,
  kind: FileKindName,
): Promise<Uint8Array | undefined> {
  try {
    return await readFileBytes(path, kind);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !await isLink(path)) return undefined;
    throw error;
  }
}

/** Synchronous {@linkcode readFileText}. @throws As {@linkcode readFileBytes} does. */
export function readFileTextNow(
  path: string,
  kind: FileKindName,
  { hint }: ReadFileOptions = {},
): string {
  return attemptingNow(readingOf(kind, path, hint), () => {
    checkFile(Deno.statSync(path), path, kind);
    const bytes = Deno.readFileSync(path);
    checkContents(bytes, bytes.length, path, kind);
    return textOf(bytes, path);
  });
}

/**
 * Reads and parses a JSON file. Undefined if it is missing and `optional` is true. Its size is checked before it is parsed, see `checkJson`.
 *
 * @throws {SyntaxError} when it is not valid JSON.
 * @throws {RangeError} when it contains more than its kind allows.
 * @throws As {@linkcode readFileBytes} does.
 */
export async function readJsonFile(
  path: string,
  kind: FileKindName & keyof typeof JSON_BOUNDS,
  { optional = false, hint }: ReadFileOptions & { readonly optional?: boolean } = {},
): Promise<unknown> {
  const bytes = optional
    ? await readOptionalBytes(path, kind)
    : await readFileBytes(path, kind, { hint });
  if (!bytes) return undefined;
  // checkJson expects UTF-8.
  const utf8 = encodingOf(bytes) === "utf-8"
    ? bytes
    : new TextEncoder().encode(textOf(bytes, path));
  checkJson(utf8, JSON_BOUNDS[kind], `"${path}"`);
  try {
    return JSON.parse(textOf(utf8, path));
  } catch (cause) {
    if (!(cause instanceof SyntaxError) || cause.message.startsWith("Cannot read")) throw cause;
    throw new SyntaxError(`Cannot read "${path}": ${cause.message}`, { cause });
  }
}

/** The encoding given by a byte order mark, or UTF-8 if there is none. */
function encodingOf(bytes: Uint8Array): "utf-16le" | "utf-16be" | "utf-8" {
  const mark = bytes.length >= 2 ? bytes[0] << 8 | bytes[1] : 0;
  return mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8";
}

function textOf(bytes: Uint8Array, path: string): string {
  const encoding = encodingOf(bytes);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    const whole = (length: number, stream = true): boolean => {
      try {
        new TextDecoder(encoding, { fatal: true }).decode(bytes.subarray(0, length), { stream });
        return true;
      } catch {
        return false;
      }
    };
    let [good, bad] = [0, bytes.length];
    while (good + 1 < bad) {
      const middle = (good + bad) >> 1;
      if (whole(middle)) good = middle;
      else bad = middle;
    }
    while (good > 0 && !whole(good, false)) good--; // back to the start of the character
    throw new SyntaxError(
      `Cannot read "${path}" as ${encoding.toUpperCase()}: the byte at offset ${good} is not part of a valid character. Fix it there, or save the file as UTF-8`,
      { cause },
    );
  }
}

/** Whether a path at which nothing exists is a broken link, which means that something was meant to exist. */
async function isLink(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(({ isSymlink }) => isSymlink, () => false);
}
