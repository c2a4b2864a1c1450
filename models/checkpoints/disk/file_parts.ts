/**
 * Partial files: they have temporary names next to their final paths until they are complete, and are locked while they are written, so that the
 * remains of a killed process can be told apart from the work of a running one.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import type { PlacedBytes } from "./placed_bytes.ts";

const PART = /^(.*)\.[0-9a-f]{8}\.part$/s;
/** A locked file inside a partial folder. */
const LOCK = ".writing";

/** Whether a name is that of a partial file or folder, which is being written or was left behind by a killed process. */
export function isPart(name: string): boolean {
  return PART.test(name);
}

/** A new temporary name next to `path`, see {@linkcode isPart}. */
function partName(path: string): string {
  return `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
}

/** Writes bytes to an open file: one chunk after another, or at the offsets that the chunks give. */
export async function writeChunks(
  file: Deno.FsFile,
  chunks: Iterable<Uint8Array | PlacedBytes> | AsyncIterable<Uint8Array | PlacedBytes>,
): Promise<void> {
  for await (const chunk of chunks) {
    const bytes = "offset" in chunk ? chunk.bytes : chunk;
    if ("offset" in chunk) await file.seek(chunk.offset, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  }
}

/** A partial file. */
export interface PartFile {
  /** Its temporary path. */
  readonly part: string;
  /** The file, open for writing and locked. The caller must close it. */
  readonly file: Deno.FsFile;
}

/** Temporary paths created by this process. */
const made = new Set<string>();

/** Removes all partial files and folders of this process, for when it ends while writing. */
export function removeParts(): void {
  for (const part of made) {
    try {
      Deno.removeSync(part, { recursive: true });
    } catch { /* It has been renamed or removed already, or it does no harm. */ }
  }
}

/** Opens a partial file for `path`, and removes those that killed processes left for the same path. */
export async function openPart(path: string): Promise<PartFile> {
  await removeAbandoned(path);
  const part = partName(path);
  made.add(part);
  const file = await Deno.open(part, { write: true, createNew: true });
  await hold(file);
  return { part, file };
}

/** A partial folder. */
export interface PartFolder extends Disposable {
  /** Its temporary path. */
  readonly part: string;
  /** Names of the entries written so far. */
  names(): Promise<string[]>;
  /** Marks the folder as complete: unlocks it and removes the lock file. */
  finish(): Promise<void>;
}

/** Creates a partial folder for `path`, or for files that will be moved into it, as {@linkcode openPart} does. Disposing removes it. */
export async function makePartFolder(path: string): Promise<PartFolder> {
  await removeAbandoned(path);
  const part = partName(path);
  made.add(part);
  await Deno.mkdir(part);
  const file = await Deno.open(join(part, LOCK), { write: true, createNew: true });
  await hold(file);
  let open = true;
  const close = () => {
    if (open) file.close();
    open = false;
  };
  return {
    part,
    async names() {
      const entries = await Array.fromAsync(Deno.readDir(part));
      return entries.map(({ name }) => name).filter((name) => name !== LOCK);
    },
    async finish() {
      close();
      await Deno.remove(join(part, LOCK));
    },
    [Symbol.dispose]() {
      close();
      try {
        Deno.removeSync(part, { recursive: true });
      } catch { /* It has been renamed. */ }
    },
  };
}

/** Locks a file. If the system does not support locks, nothing is considered abandoned either. */
async function hold(file: Deno.FsFile): Promise<void> {
  await file.tryLock(true).catch(() => false);
}

/** Removes partial files and folders for `path` that no running process holds. */
async function removeAbandoned(path: string): Promise<void> {
  try {
    const folder = dirname(path);
    for await (const { name, isFile, isDirectory } of Deno.readDir(folder)) {
      if (PART.exec(name)?.[1] !== basename(path) || !(isFile || isDirectory)) continue;
      const part = join(folder, name);
      if (await isAbandoned(isFile ? part : join(part, LOCK))) {
        await Deno.remove(part, { recursive: true });
      }
    }
  } catch { /* The folder cannot be listed, or the file cannot be removed. It does no harm. */ }
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path, { read: true, write: true });
    return await file.tryLock(true);
  } catch {
    return false;
  }
}
