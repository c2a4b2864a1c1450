/**
 * Files on disk as byte sources, and whole files written without ever leaving half of one.
 *
 * @module
 */

import { dirname } from "@std/path";
import type { ByteSource } from "../../../quant/files/byte_source.ts";
import type { PieceMemory } from "../../../quant/piece_memory.ts";
import { attempting } from "./attempt.ts";
import { checkContents, CONTENTS_BYTES } from "./file_contents.ts";
import { checkFile, type FileKindName, readingOf } from "./file_kinds.ts";
import { openPart, writeChunks } from "./file_parts.ts";
import type { PlacedBytes } from "./placed_bytes.ts";

export type { PlacedBytes } from "./placed_bytes.ts";

/** A byte source over an open file; disposing closes it. */
export interface FileSource extends ByteSource, Disposable {}

/**
 * Opens a file for random reading. It is looked at before it is opened: opening a pipe would wait for a writer.
 *
 * @param kind What it is to be; `weights` by default
 * @param hint What to do when there is none, for the message
 * @throws {TypeError} For what is no regular file
 * @throws {RangeError} For one that is something else by its first bytes: a Git LFS pointer, an error page, an archive
 * @throws {Deno.errors.NotFound} When there is none
 */
export async function openFile(
  path: string | URL,
  kind: FileKindName = "weights",
  hint?: string,
): Promise<FileSource> {
  const name = path instanceof URL ? path.pathname : path;
  const reading = readingOf(kind, name, hint);
  const { file, size } = await attempting(reading, async () => {
    checkFile(await Deno.stat(path), name, kind);
    const file = await Deno.open(path, { read: true });
    try {
      const info = await file.stat();
      checkFile(info, name, kind);
      return { file, size: info.size };
    } catch (error) {
      file.close();
      throw error;
    }
  });
  let queue: Promise<unknown> = Promise.resolve();
  let closed = false;
  const readNow = async (offset: number, length: number, memory?: PieceMemory) => {
    const bytes = memory?.take(length) ?? new Uint8Array(length);
    for (let done = 0; done < length;) {
      const n = await attempting(reading, () => {
        // Asks the disk nothing; the asynchronous one would cost a turn.
        if (done === 0) file.seekSync(offset, Deno.SeekMode.Start);
        return file.read(bytes.subarray(done));
      });
      if (n === null) {
        throw new RangeError(
          `Cannot read "${name}": the file ended at ${offset + done}, before ${offset + length}`,
        );
      }
      done += n;
    }
    return bytes;
  };
  const source: FileSource = {
    name,
    size,
    read(offset, length, memory) {
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        return Promise.reject(
          new RangeError(
            `Cannot read ${length} bytes at ${offset} of "${name}": it has ${size} bytes`,
          ),
        );
      }
      // One position per file: reads take turns.
      const result = queue.then(() => readNow(offset, length, memory));
      queue = result.catch(() => {});
      return result;
    },
    [Symbol.dispose]() {
      if (!closed) file.close();
      closed = true;
    },
  };
  try {
    checkContents(await source.read(0, Math.min(size, CONTENTS_BYTES)), size, name, kind);
    return source;
  } catch (error) {
    source[Symbol.dispose]();
    throw error;
  }
}

/**
 * Writes a file beside its place, flushes, then renames: `path` is either the old file or the whole new one. What a killed process left
 * of an earlier try is removed.
 *
 * @param chunks One behind the other, or wherever they say
 * @throws What `chunks` or the disk throws; the part written is removed
 */
export async function writeFileWhole(
  path: string,
  chunks: Iterable<Uint8Array | PlacedBytes> | AsyncIterable<Uint8Array | PlacedBytes>,
  { exclusive = false }: {
    /** Fails when `path` exists, whoever made it and however lately. Default false: it is replaced. */
    readonly exclusive?: boolean;
  } = {},
): Promise<void> {
  const writing = { what: "write", path, hint: "Create its folder first" };
  await attempting(writing, async () => {
    const { part, file: opened } = await openPart(path);
    try {
      using file = opened;
      await writeChunks(file, chunks);
      await file.sync();
      await (exclusive ? placeNew : Deno.rename)(part, path);
      await syncFolder(dirname(path));
    } catch (error) {
      await Deno.remove(part).catch(() => {});
      throw error;
    }
  });
}

/** Gives a file its name, or fails where there is one. */
async function placeNew(part: string, path: string): Promise<void> {
  try {
    await Deno.link(part, path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    // Not every file system has links: the name is taken first, by an empty file.
    (await Deno.open(path, { write: true, createNew: true })).close();
    return await Deno.rename(part, path);
  }
  await Deno.remove(part);
}

/** Brings the names in a folder to the disk, where the system has a way: without it a power cut may undo a rename. */
export async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path);
    await folder.sync();
  } catch { /* Windows has none. */ }
}
