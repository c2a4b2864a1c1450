/**
 * Checks the number of a tensor's bytes while they are written.
 *
 * @module
 */

/** A tensor to write. */
export interface TensorToWrite {
  /** Name for messages. */
  readonly name: string;
  /** The bytes, or a function that yields them in order. */
  readonly bytes: Uint8Array | (() => AsyncIterable<Uint8Array>);
}

/**
 * Yields the bytes in order, never more than `byteLength`.
 *
 * @param byteLength Required number of bytes.
 * @param by What determines this number, for messages.
 * @throws {TypeError} when there are more or fewer.
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
