/**
 * Gzip as a stream, of several members too (`cat a.gz b.gz`, bgzip), which `DecompressionStream` refuses. What it unpacks to is bounded by what
 * text can be packed to.
 *
 * @module
 */
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/** How much larger than the packed file its text may be, once {@linkcode freeBytes} are out. Deflate can do 1,032. */
const mostRatio = 200;
/** Bytes that are unpacked whatever the ratio. */
const freeBytes = 2 ** 26;
const pieceBytes = 1 << 18;

/** Whether a file that begins with those bytes is packed with gzip. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * The bytes that are packed in others, in pieces of at most 256 KiB.
 *
 * @param name names the file in errors.
 * @throws RangeError for a file that is cut or damaged, or unpacks to more than 64 MiB and 200 times its own size.
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
  // Errors of the source arrive at the end of the pipe; that the reader left early is none.
  pipeline(Readable.from(counted()), unpacking, () => {});
  try {
    for await (const piece of unpacking as AsyncIterable<Uint8Array<ArrayBuffer>>) {
      given += piece.length;
      if (given > freeBytes && given > mostRatio * taken) {
        throw new RangeError(
          `Cannot read "${name}": it decompresses to more than ${mostRatio} times its size, which text never does; if that is intended, decompress it yourself (gunzip)`,
        );
      }
      // A Buffer's slice is a view, an array's is a copy.
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
