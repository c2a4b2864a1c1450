/**
 * Reads files on disk as byte sources, and writes files so that a partial file never takes the place of a whole one.
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
 * Opens a file for random access. Its type is checked before it is opened, because opening a pipe would wait for a writer.
 *
 * @param kind Expected kind of file. Default `weights`.
 * @param hint What to do if the file does not exist, for the message.
 * @throws {TypeError} when it is not a regular file.
 * @throws {RangeError} when its first bytes show that it is something else: a Git LFS pointer, an error page, an archive.
 * @throws {Deno.errors.NotFound} when it does not exist.
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
        // seekSync does not access the disk, and the asynchronous form would cost a turn of the event loop.
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
      // A file has a single position, so reads take turns.
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
 * Writes a file next to its final path, flushes it, then renames it: `path` is always either the old file or the whole new one. Files left by an
 * earlier, killed process are removed.
 *
 * @param chunks The contents in order, or chunks that give their own offsets.
 * @throws Any error of `chunks` or the disk; the partial file is then removed.
 */
export async function writeFileWhole(
  path: string,
  chunks: Iterable<Uint8Array | PlacedBytes> | AsyncIterable<Uint8Array | PlacedBytes>,
  { exclusive = false }: {
    /** Whether to fail if `path` exists, even if it was created while writing. Default false: it is replaced. */
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

/** Renames a file to its final name, or fails if that exists. */
async function placeNew(part: string, path: string): Promise<void> {
  try {
    await Deno.link(part, path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    // Not every file system supports links: an empty file reserves the name first.
    (await Deno.open(path, { write: true, createNew: true })).close();
    return await Deno.rename(part, path);
  }
  await Deno.remove(part);
}

/** Flushes the entries of a folder to disk, if the system supports it. Otherwise a power cut might undo a rename. */
export async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path);
    await folder.sync();
  } catch { /* Not supported on Windows. */ }
}
