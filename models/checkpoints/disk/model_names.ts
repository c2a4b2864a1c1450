/**
 * What a file is by its name alone.
 *
 * @module
 */

/** Whether a file name is that of a GGUF model, and not of what lies beside one: projectors of images, measured inputs. */
export function isGgufModel(name: string): boolean {
  return /\.gguf$/i.test(name) && !/mmproj|imatrix/i.test(name);
}

/** Whether a name is one that programs give to what they have not downloaded to its end. */
export function isUnfinished(path: string): boolean {
  return /\.(?:part|partial|incomplete|crdownload|download|aria2|tmp)$/i.test(path);
}
