/**
 * The bytes of a tensor on their way into a file: as many as its place has.
 *
 * @module
 */

/** A tensor to be written. */
export interface TensorToWrite {
  /** For messages. */
  readonly name: string;
  /** The bytes, or where they come from, in order. */
  readonly bytes: Uint8Array | (() => AsyncIterable<Uint8Array>);
}

/**
 * The bytes, in order; never more than fit.
 *
 * @param byteLength How many there must be
 * @param by What says so, for messages
 * @throws {TypeError} when there are more or less
 */
export async function* bytesToWrite(
  { name, bytes }: TensorToWrite,
  byteLength: number,
  by: string,
): AsyncGenerator<Uint8Array> {
  let written = 0;
  if (typeof bytes === "function") {
    for await (const chunk of bytes()) {
      written += chunk.length;
      if (written > byteLength) break;
      yield chunk;
    }
  } else {
    written = bytes.length;
    if (written === byteLength) yield bytes;
  }
  if (written !== byteLength) {
    throw new TypeError(
      `Cannot write tensor "${name}": got ${written} bytes, but its ${by} need ${byteLength}`,
    );
  }
}
