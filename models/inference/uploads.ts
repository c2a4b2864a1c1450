/**
 * Limits the host memory used by queued writes to the device.
 *
 * @module
 */

import type { Gpu } from "../../kernels/mod.ts";

/** Submits queued writes before they become too large, because they hold host copies until they are submitted. */
export class Uploads {
  readonly #gpu: Gpu;
  #pending = 0;

  /** Creates a counter for a device, with nothing queued. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Counts queued bytes. When there are too many, submits them and waits for the device. */
  async add(bytes: number): Promise<void> {
    this.#pending += bytes;
    if (this.#pending < 64 * 2 ** 20) return;
    this.submit();
    await this.#gpu.device.queue.onSubmittedWorkDone();
  }

  /** Submits all queued writes. */
  submit(): void {
    this.#pending = 0;
    this.#gpu.device.queue.submit([]);
  }
}
