/**
 * Device memory that is described before it is allocated, so that the memory use of a plan can be computed without a
 * device.
 *
 * @module
 */

import type { Gpu, GpuBuffer, Part } from "./gpu.ts";

/**
 * A named block of device memory. `allocate` creates its buffer.
 *
 * @example Sizes are rounded up to 16 bytes
 * ```ts
 * import { Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Storage("losses", 20, "scratch").bytes, 32);
 * ```
 */
export class Storage implements Disposable {
  /** Name for messages and memory accounting. */
  readonly label: string;
  /** Size in bytes, rounded up to a multiple of 16 like the size of a buffer. */
  readonly bytes: number;
  /** Purpose. */
  readonly part: Part;
  #buffer: GpuBuffer | undefined;
  #freed = false;

  /** Describes `bytes` of memory for the purpose `part`. */
  constructor(label: string, bytes: number, part: Part) {
    this.label = label;
    this.bytes = Math.max(16, Math.ceil(bytes / 16) * 16);
    this.part = part;
  }

  /**
   * The buffer.
   *
   * @throws {TypeError} when it has not been allocated.
   */
  get buffer(): GpuBuffer {
    if (!this.#buffer) {
      throw new TypeError(
        this.#freed
          ? `Cannot use "${this.label}": it was freed because the model or offsets it belongs to were disposed`
          : `Cannot use "${this.label}": it is not allocated`,
      );
    }
    return this.#buffer;
  }

  /** Allocates the buffer; later calls do nothing. Returns itself. */
  allocate(gpu: Gpu): this {
    this.#buffer ??= gpu.buffer(this.label, this.bytes, this.part);
    return this;
  }

  /** Frees the buffer if there is one. */
  [Symbol.dispose](): void {
    if (this.#buffer) this.#freed = true;
    this.#buffer?.[Symbol.dispose]();
    this.#buffer = undefined;
  }
}
