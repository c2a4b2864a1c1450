/**
 * Workers made of text.
 *
 * A module of a package from JSR cannot be a worker (jsr-io/jsr#322), bundlers and npm's form know it by another name, and text needs no
 * right to read. The text is that of functions (`${name}`), which may use nothing but each other, their arguments and what is global.
 *
 * @module
 */

/**
 * Starts a worker.
 *
 * @param text JavaScript of a module; it may import `node:` built-ins, nothing else
 * @throws {Error} Where there are no workers
 */
export function textWorker(text: string): Worker {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return new Worker(url, { type: "module" });
  } finally {
    URL.revokeObjectURL(url);
  }
}
