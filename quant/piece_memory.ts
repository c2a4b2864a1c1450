/**
 * Memory that the pieces of a file are read into, used again for the next: fresh memory costs as much as reading, a page at a time.
 *
 * @module
 */

/** Of shorter pieces the memory is not kept: it costs nothing. */
const LEAST_BYTES = 2 ** 16;
/** What lies idle at most; pieces of a tensor are of one length, tensors of a layer of a few. */
const MOST_IDLE_BYTES = 32 * 2 ** 20;

/**
 * Buffers to take and to give back. Each belongs to whoever took it until it is given back.
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

  /** A whole buffer of `length` bytes, of any contents. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#idle.findLastIndex((buffer) => buffer.byteLength === length);
    if (at < 0) return new Uint8Array(length);
    const [buffer] = this.#idle.splice(at, 1);
    this.#idleBytes -= length;
    return new Uint8Array(buffer);
  }

  /** Takes back a buffer that nobody looks at any more; of views that are not the whole of theirs, and short ones, nothing is kept. */
  give({ buffer, byteLength }: Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
    if (byteLength < LEAST_BYTES || byteLength !== buffer.byteLength) return;
    this.#idle.push(buffer);
    this.#idleBytes += byteLength;
    while (this.#idleBytes > MOST_IDLE_BYTES) this.#idleBytes -= this.#idle.shift()!.byteLength;
  }
}
