/**
 * Looks at what exists at a path: enough to recognise it, without reading much.
 *
 * @module
 */
import { join } from "@std/path";
import { attempting } from "./attempt.ts";
import { CONTENTS_BYTES, type FileHead, fileHead } from "./file_contents.ts";

const MOST_ENTRIES = 20_000;

/** The names in a folder. Links count as what they point to. */
export interface FolderEntries {
  /** Files, links to files, and broken links. */
  readonly files: readonly string[];
  /** Folders and links to folders. */
  readonly folders: readonly string[];
}

/**
 * The names in a folder, sorted.
 *
 * @throws {RangeError} when there are more than 20,000.
 * @throws Any error of the system, with a readable message.
 */
export async function folderEntries(path: string): Promise<FolderEntries> {
  return await attempting({ what: "read the folder", path }, async () => {
    const files: string[] = [];
    const folders: string[] = [];
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(path)) {
      if (files.length + folders.length >= MOST_ENTRIES) {
        throw new RangeError(
          `Cannot read the folder "${path}": it has more than ${MOST_ENTRIES} entries`,
        );
      }
      const folder = isSymlink
        ? await Deno.stat(join(path, name)).then((it) => it.isDirectory, () => false)
        : isDirectory;
      (folder ? folders : files).push(name);
    }
    return { files: files.sort(), folders: folders.sort() };
  });
}

/** The files of a folder, or none if there is no folder at the path. @throws As {@linkcode folderEntries} does. */
export async function namesIn(path: string): Promise<readonly string[]> {
  const isFolder = await Deno.stat(path).then((it) => it.isDirectory, () => false);
  return isFolder ? (await folderEntries(path)).files : [];
}

/** The first bytes of a regular file. @throws Any error of the system. */
export async function headOfFile(path: string): Promise<FileHead> {
  const { size } = await Deno.stat(path);
  using file = await Deno.open(path);
  const bytes = new Uint8Array(Math.min(size, CONTENTS_BYTES));
  let done = 0;
  while (done < bytes.length) {
    const n = await file.read(bytes.subarray(done));
    if (n === null) break;
    done += n;
  }
  return fileHead(bytes.subarray(0, done), size);
}

/** Joins names for a message and abbreviates long lists: `a, b and 3 more`. */
export function list(names: readonly string[], most = 5): string {
  if (names.length <= most) {
    return names.length < 2
      ? names.join("")
      : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
  }
  return `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
