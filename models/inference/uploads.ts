/**
 * Writes to the device that wait in the host's memory, bounded.
 *
 * @module
 */

import type { Gpu } from "../../kernels/mod.ts";

/** Queued writes hold host copies until they are submitted: submits them before they grow. */
export class Uploads {
  readonly #gpu: Gpu;
  #pending = 0;

  /** Of a device, with nothing queued. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Counts bytes that were queued, and waits for the device where they are many. */
  async add(bytes: number): Promise<void> {
    this.#pending += bytes;
    if (this.#pending < 64 * 2 ** 20) return;
    this.submit();
    await this.#gpu.device.queue.onSubmittedWorkDone();
  }

  /** Submits what is queued. */
  submit(): void {
    this.#pending = 0;
    this.#gpu.device.queue.submit([]);
  }
}
