/**
 * Device memory that is described before it is allocated, so that a plan can be priced without a device.
 *
 * @module
 */

import type { Gpu, GpuBuffer, Part } from "./gpu.ts";

/** A named piece of device memory; `allocate` makes it real. */
export class Storage implements Disposable {
  /** For messages and the account. */
  readonly label: string;
  /** Size in bytes, rounded up to 16 as the device account counts it. */
  readonly bytes: number;
  /** What it is for. */
  readonly part: Part;
  #buffer: GpuBuffer | undefined;
  #freed = false;

  /** Describes `bytes` of memory for `part`. */
  constructor(label: string, bytes: number, part: Part) {
    this.label = label;
    this.bytes = Math.max(16, Math.ceil(bytes / 16) * 16);
    this.part = part;
  }

  /** The buffer behind it. Throws a TypeError when it has not been allocated. */
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

  /** Allocates once; later calls do nothing. Returns itself. */
  allocate(gpu: Gpu): this {
    this.#buffer ??= gpu.buffer(this.label, this.bytes, this.part);
    return this;
  }

  /** Frees the buffer, if there is one. */
  [Symbol.dispose](): void {
    if (this.#buffer) this.#freed = true;
    this.#buffer?.[Symbol.dispose]();
    this.#buffer = undefined;
  }
}
