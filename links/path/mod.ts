/**
 * Stand-in for `jsr:@std/path` on machines that cannot reach JSR: the used part of its API, over `node:path`.
 *
 * @module
 */
import { sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export {
  basename,
  dirname,
  extname,
  isAbsolute,
  join,
  normalize,
  relative,
  resolve,
} from "node:path";

/** The separator of path segments on this platform. */
export const SEPARATOR: "/" | "\\" = sep;

/** Path of a `file:` URL. */
export function fromFileUrl(url: URL | string): string {
  return fileURLToPath(url);
}

/** `file:` URL of an absolute path. */
export function toFileUrl(path: string): URL {
  return pathToFileURL(path);
}
