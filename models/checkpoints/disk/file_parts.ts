/**
 * Files in the making: beside their place under a name of their own until they are whole, and locked while somebody writes them, so that
 * what a killed process left is told from what another one is at.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import type { PlacedBytes } from "./placed_bytes.ts";

const PART = /^(.*)\.[0-9a-f]{8}\.part$/s;
/** Stands, locked, in a folder in the making. */
const LOCK = ".writing";

/** Whether a name is that of a file or folder in the making, or of one left behind by a process that was killed. */
export function isPart(name: string): boolean {
  return PART.test(name);
}

/** A new name beside `path`, see {@linkcode isPart}. */
function partName(path: string): string {
  return `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
}

/** Writes bytes into an open file: one behind the other, or wherever they say. */
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

/** A file in the making. */
export interface PartFile {
  /** Where it lies until it is whole. */
  readonly part: string;
  /** Open for writing and locked; closing it is the caller's. */
  readonly file: Deno.FsFile;
}

/** What this process has in the making. */
const made = new Set<string>();

/** Removes all that this process has in the making: for a process that ends in the middle of it. */
export function removeParts(): void {
  for (const part of made) {
    try {
      Deno.removeSync(part, { recursive: true });
    } catch { /* It has its name by now, or is in nobody's way. */ }
  }
}

/** Opens the part of a file that is to be `path`; removes those that killed processes left of it. */
export async function openPart(path: string): Promise<PartFile> {
  await removeAbandoned(path);
  const part = partName(path);
  made.add(part);
  const file = await Deno.open(part, { write: true, createNew: true });
  await hold(file);
  return { part, file };
}

/** A folder in the making. */
export interface PartFolder extends Disposable {
  /** Where it lies until it is whole. */
  readonly part: string;
  /** What was written into it so far. */
  names(): Promise<string[]>;
  /** It is whole: nobody's work any more, and nothing in it but what was written. */
  finish(): Promise<void>;
}

/** Makes the part of a folder that is to be `path`, or of what is to go into it, as {@linkcode openPart} does; disposing removes it. */
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
      } catch { /* It has its name by now. */ }
    },
  };
}

/** Where the system has no locks nothing is taken for abandoned either. */
async function hold(file: Deno.FsFile): Promise<void> {
  await file.tryLock(true).catch(() => false);
}

/** Removes what was in the making for `path` and that no living process holds. */
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
  } catch { /* The folder may not be listed, the file not be removed: it lies in nobody's way. */ }
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path, { read: true, write: true });
    return await file.tryLock(true);
  } catch {
    return false;
  }
}
