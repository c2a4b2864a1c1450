/**
 * The one way to read a whole file: a regular file of a size that its kind allows, or an error before anything is read.
 *
 * @module
 */
import { checkJson, JSON_BOUNDS } from "../../../quant/files/json_bounds.ts";
import { attempting, attemptingNow } from "./attempt.ts";
import { checkContents } from "./file_contents.ts";
import { checkFile, type FileKindName, readingOf } from "./file_kinds.ts";

/** What to say when there is no such file. */
export interface ReadFileOptions {
  /** What to do then, or who named the file; a sentence without its full stop. */
  readonly hint?: string | undefined;
}

/** At the most `size` bytes of an open file, from its start: a file that grows meanwhile is read as it was. */
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
 * The bytes of a file. It is looked at before it is opened: a pipe would wait, a device never ends.
 *
 * @throws {TypeError} For what is no regular file
 * @throws {RangeError} For a file larger than its kind allows, or one that is something else: a Git LFS pointer, an archive
 * @throws {Deno.errors.NotFound} When there is none, and what else the system answers, in words
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
 * The text of a file in UTF-8, or in UTF-16 where its byte order mark says so, without the mark.
 *
 * @throws {SyntaxError} When it is no UTF-8: with the first byte that is none
 * @throws As {@linkcode readFileBytes} does
 */
export async function readFileText(
  path: string,
  kind: FileKindName,
  options: ReadFileOptions = {},
): Promise<string> {
  return textOf(await readFileBytes(path, kind, options), path);
}

/** {@linkcode readFileText} of a file that need not be there; a link that leads nowhere is an error. */
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

/** {@linkcode readFileText} for what does not wait. @throws As {@linkcode readFileBytes} does */
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
 * The value of a JSON file; undefined when there is none and it is `optional`. Counted before it is parsed, see `checkJson`.
 *
 * @throws {SyntaxError} When it is no JSON
 * @throws {RangeError} When it holds more than its kind allows
 * @throws As {@linkcode readFileBytes} does
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
  // Counting takes UTF-8 for granted.
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

/** The encoding that a byte order mark names; UTF-8 without one. */
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
    while (good > 0 && !whole(good, false)) good--; // to where the character begins
    throw new SyntaxError(
      `Cannot read "${path}" as ${encoding.toUpperCase()}: the byte at offset ${good} is not part of a valid character. Fix it there, or save the file as UTF-8`,
      { cause },
    );
  }
}

/** Whether a name that leads nowhere is a link: then something was meant to be there. */
async function isLink(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(({ isSymlink }) => isSymlink, () => false);
}
