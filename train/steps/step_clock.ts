/**
 * Measures when the device is working, by its own clock.
 *
 * @module
 */

import type { Gpu, GpuBuffer } from "../../kernels/mod.ts";

/** One pass on the device, usually of several steps, in nanoseconds of the device's clock. */
export interface DeviceSpan {
  /** Start of the pass. */
  readonly begin: number;
  /** End of the pass. */
  readonly end: number;
}

/** Parses the times written by `resolve`. */
export function parseTimes(times: BigUint64Array): DeviceSpan[] {
  return Array.from({ length: times.length / 2 }, (_, i) => ({
    begin: Number(times[2 * i]),
    end: Number(times[2 * i + 1]),
  }));
}

/** Records when the device starts and ends each pass of a chunk. */
export class StepClock implements Disposable {
  readonly #gpu: Gpu;
  readonly #set: GPUQuerySet;
  readonly #resolved: GpuBuffer;
  readonly #capacity: number;
  #passes = 0;

  /** Holds up to `capacity` passes. The device must have the feature `timestamp-query`. */
  constructor(gpu: Gpu, capacity: number) {
    this.#gpu = gpu;
    this.#capacity = capacity;
    this.#set = gpu.device.createQuerySet({ type: "timestamp", count: 2 * capacity });
    this.#resolved = gpu.buffer(
      "timestamps",
      16 * capacity,
      "scratch",
      GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    );
  }

  /** The descriptor of the next pass. Undefined if the capacity is used up. */
  next(): GPUComputePassDescriptor | undefined {
    if (this.#passes >= this.#capacity) return undefined;
    const first = 2 * this.#passes++;
    return {
      timestampWrites: {
        querySet: this.#set,
        beginningOfPassWriteIndex: first,
        endOfPassWriteIndex: first + 1,
      },
    };
  }

  /** Resolves the times of all passes since the last call. */
  resolve(): { buffer: GpuBuffer; bytes: number } {
    const count = this.#passes;
    this.#passes = 0;
    const encoder = this.#gpu.device.createCommandEncoder();
    encoder.resolveQuerySet(this.#set, 0, 2 * count, this.#resolved.buffer, 0);
    this.#gpu.device.queue.submit([encoder.finish()]);
    return { buffer: this.#resolved, bytes: 16 * count };
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    this.#resolved[Symbol.dispose]();
    this.#set.destroy();
  }
}
