/**
 * Decompresses gzip as a stream, also with several members (`cat a.gz b.gz`, bgzip), which `DecompressionStream` rejects. The size of the output is
 * limited to a ratio that text does not reach.
 *
 * @module
 */
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/** Maximum ratio of decompressed to compressed size beyond {@linkcode freeBytes}. Deflate can reach 1,032. */
const mostRatio = 200;
/** Bytes that are decompressed whatever the ratio. */
const freeBytes = 2 ** 26;
const pieceBytes = 1 << 18;

/** Whether a file that begins with these bytes is compressed with gzip. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses bytes, in pieces of at most 256 KiB.
 *
 * @param name Name of the file in errors.
 * @throws {RangeError} for a file that is truncated or damaged, or decompresses to more than 64 MiB and 200 times its own size.
 */
export async function* gunzipped(
  packed: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let taken = 0;
  let given = 0;
  let failure: unknown;
  async function* counted(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of packed) {
        taken += piece.length;
        yield piece;
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  const unpacking = createGunzip({ chunkSize: pieceBytes });
  // Errors of the source also arrive at the end of the pipe. A reader that stops early is not an error.
  pipeline(Readable.from(counted()), unpacking, () => {});
  try {
    for await (const piece of unpacking as AsyncIterable<Uint8Array<ArrayBuffer>>) {
      given += piece.length;
      if (given > freeBytes && given > mostRatio * taken) {
        throw new RangeError(
          `Cannot read "${name}": it decompresses to more than ${mostRatio} times its size, which text never does; if that is intended, decompress it yourself (gunzip)`,
        );
      }
      // A plain array instead of a Buffer, because `slice` of a Buffer is a view and that of an array is a copy.
      yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    }
  } catch (error) {
    if (failure !== undefined) throw failure;
    if (!(error instanceof Error) || !("code" in error)) throw error;
    throw new RangeError(
      `Cannot read "${name}": it is compressed with gzip, and damaged or truncated (${error.message}); get it again (gunzip -t tests it)`,
      { cause: error },
    );
  }
}
