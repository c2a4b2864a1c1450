/**
 * Copies one block of a larger buffer by a dispatch, so that many steps fit in one pass. Ending a pass to copy a few
 * hundred bytes would leave the device idle for as long as a small step takes.
 *
 * @module
 */

import type { Gpu } from "../device/gpu.ts";
import type { Storage } from "../device/storage.ts";
import source from "./copy_block.wgsl.ts";

/**
 * Copies `target.bytes` bytes from any position in `source` to the whole of `target`.
 *
 * @example The second block of three
 * ```ts
 * import { BlockCopy, openGpu, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = new Storage("steps", 3 * 256, "scratch").allocate(gpu);
 * using target = new Storage("step", 256, "scratch").allocate(gpu);
 * gpu.write(source.buffer, Float32Array.from({ length: 192 }, (_, i) => i));
 * const encoder = gpu.device.createCommandEncoder();
 * const pass = encoder.beginComputePass();
 * new BlockCopy(gpu, source, target).encode(pass, 256);
 * pass.end();
 * gpu.device.queue.submit([encoder.finish()]);
 * assertEquals((await gpu.readFloats(target.buffer))[0], 64);
 * ```
 */
export class BlockCopy {
  /** The buffer to copy from. */
  readonly source: Storage;
  readonly #gpu: Gpu;
  readonly #target: Storage;
  readonly #pipeline: GPUComputePipeline;
  readonly #groups = new Map<number, GPUBindGroup>();

  /** Both buffers must be allocated and stay allocated. */
  constructor(gpu: Gpu, from: Storage, target: Storage) {
    this.source = from;
    this.#gpu = gpu;
    this.#target = target;
    this.#pipeline = gpu.pipelines.get("copy block", source);
  }

  /** Encodes the copy of the block that starts at byte `offset`, a multiple of 256. */
  encode(pass: GPUComputePassEncoder, offset: number): void {
    let group = this.#groups.get(offset);
    if (!group) {
      const { bytes } = this.#target;
      group = this.#gpu.device.createBindGroup({
        label: "copy block",
        layout: this.#pipeline.getBindGroupLayout(0),
        entries: [
          { binding: 1, resource: { buffer: this.source.buffer.buffer, offset, size: bytes } },
          { binding: 3, resource: { buffer: this.#target.buffer.buffer, size: bytes } },
        ],
      });
      this.#groups.set(offset, group);
    }
    pass.setPipeline(this.#pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(this.#target.bytes / 16 / 64));
  }
}
