/**
 * Classifies files by name alone.
 *
 * @module
 */

/** Whether a file name is that of a GGUF model rather than of a file that accompanies one: an image projector (mmproj) or an importance matrix. */
export function isGgufModel(name: string): boolean {
  return /\.gguf$/i.test(name) && !/mmproj|imatrix/i.test(name);
}

/** Whether a name is one that programs give to incomplete downloads. */
export function isUnfinished(path: string): boolean {
  return /\.(?:part|partial|incomplete|crdownload|download|aria2|tmp)$/i.test(path);
}
