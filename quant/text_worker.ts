/**
 * Workers created from text.
 *
 * A module of a JSR package cannot be a worker (jsr-io/jsr#322), bundlers and the npm package give it another name, and text needs no read
 * permission. The text is that of functions (`${name}`), which may only use each other, their arguments and globals.
 *
 * @module
 */

/**
 * Starts a worker.
 *
 * @param text JavaScript of a module, which may import only `node:` built-ins.
 * @throws {Error} when workers are not available.
 */
export function textWorker(text: string): Worker {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return new Worker(url, { type: "module" });
  } finally {
    URL.revokeObjectURL(url);
  }
}
