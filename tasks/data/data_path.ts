/**
 * Joins the folder and name of a data file.
 *
 * @module
 */
import { fromFileUrl, isAbsolute, join } from "@std/path";

/**
 * The path of a data file. Absolute paths are unchanged, `file:` URLs become their paths, and relative paths are resolved within the folder. `~`
 * has no special meaning.
 *
 * @param folder Folder of relative names, a path or a `file:` URL. Default: the current directory.
 * @throws {RangeError} for an empty name, or a URL that does not name a file.
 *
 * @example Relative, absolute, URL
 * ```ts
 * import { dataPath } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(dataPath("train.jsonl", "data"), "data/train.jsonl");
 * assertEquals(dataPath("/tmp/train.jsonl", "data"), "/tmp/train.jsonl");
 * assertEquals(dataPath("file:///tmp/a%20b.txt", "data"), "/tmp/a b.txt");
 * ```
 */
export function dataPath(file: string, folder = "."): string {
  const name = localPath(file);
  return isAbsolute(name) ? name : join(localPath(folder), name);
}

function localPath(path: string): string {
  if (path === "") throw new RangeError("Cannot read a data file: its name is empty");
  // A single letter before a colon is a drive.
  const scheme = /^([a-z][a-z\d+.-]+):\/\//i.exec(path)?.[1].toLowerCase() ??
    /^(file):/i.exec(path)?.[1].toLowerCase();
  if (scheme === undefined) return path;
  if (scheme === "file") {
    try {
      return fromFileUrl(new URL(path));
    } catch (cause) {
      throw new RangeError(`Cannot read data file "${path}": it is not a file URL`, { cause });
    }
  }
  throw new RangeError(
    `Cannot read data file "${path}": only local files can be read; download it and give its path`,
  );
}
