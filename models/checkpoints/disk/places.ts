/**
 * Operations on paths and folders that readers and writers of models need in addition to file contents.
 *
 * @module
 */
import { dirname } from "@std/path";
import type { FileFacts } from "./file_kinds.ts";
import { writeChunks } from "./file_parts.ts";
import type { PlacedBytes } from "./placed_bytes.ts";

/** What exists at a path, following links. Undefined if nothing accessible exists there. */
export async function placeAt(path: string): Promise<FileFacts | undefined> {
  return await Deno.stat(path).catch(() => undefined);
}

/** Whether two paths refer to the same file or folder, following links. False if nothing exists at the first. */
export async function isSamePlace(path: string, other: string): Promise<boolean> {
  const place = await Deno.realPath(path).catch(() => undefined);
  return place !== undefined && place === await Deno.realPath(other);
}

/** Creates the folder that contains a path, and its parents, if they do not exist. */
export async function makeFolderOf(path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
}

/** An entry of a folder. */
export interface FolderEntry {
  /** Its name. */
  readonly name: string;
  /** Whether it is a link. */
  readonly isLink: boolean;
  /** Whether it is a regular file or a link to one. */
  readonly isFile: boolean;
}

/** All entries of a folder, sorted by name. @throws Any error of the system. */
export async function allEntries(folder: string): Promise<FolderEntry[]> {
  const entries: FolderEntry[] = [];
  for await (const { name, isFile, isSymlink } of Deno.readDir(folder)) {
    const regular = isSymlink ? (await placeAt(`${folder}/${name}`))?.isFile ?? false : isFile;
    entries.push({ name, isLink: isSymlink, isFile: regular });
  }
  return entries.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** A file that is written in pieces, in any order. Disposing closes it. */
export interface NewFile extends Disposable {
  /** Writes bytes: one chunk after another, or at the offsets that the chunks give. */
  write(
    chunks: Iterable<Uint8Array | PlacedBytes> | AsyncIterable<Uint8Array | PlacedBytes>,
  ): Promise<void>;
  /** Flushes it to disk. */
  sync(): Promise<void>;
}

/** Creates a file. @throws Any error of the system, also if the file exists. */
export async function createFile(path: string): Promise<NewFile> {
  const file = await Deno.open(path, { write: true, createNew: true });
  return {
    write: (chunks) => writeChunks(file, chunks),
    sync: () => file.sync(),
    [Symbol.dispose]: () => file.close(),
  };
}

/** The error for missing files, with the caller's message. */
export function notThere(message: string): Error {
  return new Deno.errors.NotFound(message);
}

/** An error with this message if `error` says that a file was closed. Otherwise `error` itself. */
export function closedFile(error: unknown, message: string): unknown {
  if (!(error instanceof Deno.errors.BadResource)) return error;
  return new Deno.errors.BadResource(message, { cause: error });
}
