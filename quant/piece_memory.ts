/**
 * A pool of buffers for reading a file in pieces. Reusing memory matters: touching fresh memory costs about as much as
 * reading the file.
 *
 * @module
 */

/** Shorter pieces are not kept, because allocating them costs nothing. */
const LEAST_BYTES = 2 ** 16;
/** The most idle bytes to keep. The pieces of a tensor have one length, and the tensors of a layer have only a few. */
const MOST_IDLE_BYTES = 32 * 2 ** 20;

/**
 * A pool of buffers. A buffer belongs to whoever took it until it is given back.
 *
 * @example Read two pieces into the same memory
 * ```ts
 * import { PieceMemory } from "@qzo/qzo/quant";
 * import { assert } from "@std/assert";
 *
 * const memory = new PieceMemory();
 * const first = memory.take(2 ** 20);
 * memory.give(first);
 * assert(memory.take(2 ** 20).buffer === first.buffer);
 * ```
 */
export class PieceMemory {
  readonly #idle: ArrayBuffer[] = [];
  #idleBytes = 0;

  /** Takes a whole buffer of `length` bytes, with arbitrary contents. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#idle.findLastIndex((buffer) => buffer.byteLength === length);
    if (at < 0) return new Uint8Array(length);
    const [buffer] = this.#idle.splice(at, 1);
    this.#idleBytes -= length;
    return new Uint8Array(buffer);
  }

  /** Gives back a buffer that is no longer in use. Short buffers, and views of only part of a buffer, are not kept. */
  give({ buffer, byteLength }: Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
    if (byteLength < LEAST_BYTES || byteLength !== buffer.byteLength) return;
    this.#idle.push(buffer);
    this.#idleBytes += byteLength;
    while (this.#idleBytes > MOST_IDLE_BYTES) this.#idleBytes -= this.#idle.shift()!.byteLength;
  }
}
