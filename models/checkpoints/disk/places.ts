/**
 * What lies at paths, and folders to write into: what readers and writers of models ask of the system besides bytes.
 *
 * @module
 */
import { dirname } from "@std/path";
import type { FileFacts } from "./file_kinds.ts";
import { writeChunks } from "./file_parts.ts";
import type { PlacedBytes } from "./placed_bytes.ts";

/** What lies at a path, links followed; undefined where nothing can be seen there. */
export async function placeAt(path: string): Promise<FileFacts | undefined> {
  return await Deno.stat(path).catch(() => undefined);
}

/** Whether two paths lead to one place, links followed; not where nothing is at the first. */
export async function isSamePlace(path: string, other: string): Promise<boolean> {
  const place = await Deno.realPath(path).catch(() => undefined);
  return place !== undefined && place === await Deno.realPath(other);
}

/** Makes the folder that a path lies in, and those above it, where they are not there. */
export async function makeFolderOf(path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
}

/** An entry of a folder. */
export interface FolderEntry {
  /** Its name. */
  readonly name: string;
  /** Whether it is a link. */
  readonly isLink: boolean;
  /** Whether it is a regular file, or a link that leads to one. */
  readonly isFile: boolean;
}

/** All entries of a folder by name. @throws What the system answers */
export async function allEntries(folder: string): Promise<FolderEntry[]> {
  const entries: FolderEntry[] = [];
  for await (const { name, isFile, isSymlink } of Deno.readDir(folder)) {
    const regular = isSymlink ? (await placeAt(`${folder}/${name}`))?.isFile ?? false : isFile;
    entries.push({ name, isLink: isSymlink, isFile: regular });
  }
  return entries.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** A file that is written in pieces, in any order; disposing closes it. */
export interface NewFile extends Disposable {
  /** Writes bytes one behind the other, or wherever they say. */
  write(
    chunks: Iterable<Uint8Array | PlacedBytes> | AsyncIterable<Uint8Array | PlacedBytes>,
  ): Promise<void>;
  /** Brings it to the disk. */
  sync(): Promise<void>;
}

/** Makes a file. @throws What the system answers, where there is one already too */
export async function createFile(path: string): Promise<NewFile> {
  const file = await Deno.open(path, { write: true, createNew: true });
  return {
    write: (chunks) => writeChunks(file, chunks),
    sync: () => file.sync(),
    [Symbol.dispose]: () => file.close(),
  };
}

/** The error for files that are not there, in the words of whoever misses them. */
export function notThere(message: string): Error {
  return new Deno.errors.NotFound(message);
}

/** `error` in other words, where it says that a file was closed; else itself. */
export function closedFile(error: unknown, message: string): unknown {
  if (!(error instanceof Deno.errors.BadResource)) return error;
  return new Deno.errors.BadResource(message, { cause: error });
}
