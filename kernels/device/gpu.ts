/**
 * The device: chosen by the caller's preferences, opened with the adapter's real limits, with every buffer counted by
 * its purpose.
 *
 * @module
 */

import { assertOptions } from "../../optim/options.ts";
import {
  describeAdapter,
  isSoftware,
  readLimits,
  requestDevice,
  type SubgroupSizes,
  vendorOf,
} from "./adapter.ts";
import { DeviceLostError, NoAdapterError, OutOfMemoryError } from "./gpu_errors.ts";
import { Pacing, type PacingLimits, pacingLimits } from "./pacing.ts";
import { PipelineCache } from "./pipeline.ts";
import { withRuntimeFolder } from "./runtime_folder.ts";
import { widenOnce } from "./wide_vectors.ts";

/** The purpose of a buffer. Memory is counted under these names. */
export type Part = "weights" | "offsets" | "activations" | "optimiser" | "scratch";

/** Bytes by purpose. */
export type MemoryByPart = Readonly<Record<Part, number>>;

/** How to choose and use the device. */
export interface GpuOptions {
  /**
   * A device to use instead of requesting one. `dispose` does not destroy it. All users of the same device share its
   * compiled pipelines.
   */
  readonly device?: GPUDevice;
  /** Which adapter to prefer if there are several. Default: `"high-performance"`. */
  readonly powerPreference?: GPUPowerPreference;
  /** A part of the adapter's description, such as `"llvmpipe"`. Case is ignored. */
  readonly adapter?: string;
  /**
   * Milliseconds that a dispatch and a submission may take; longer work is split. Default: 50 and 250; on macOS, where
   * the system ends longer work, 50 and 80; on software adapters 250 and 250. Results do not depend on it.
   */
  readonly pacing?: PacingLimits;
  /**
   * Whether Mesa's software adapter computes with 512-bit vectors on a processor with AVX-512. Products of many rows
   * are then faster and products of one row slower; the bits are the same. The first device of a process decides.
   * Default: true if the environment variable `QZO_VECTOR_WIDTH` is 512.
   */
  readonly wideVectors?: boolean;
}

/** The class of an adapter, by which kernels choose tiles. */
export type AdapterClass = "software" | "hardware";

/**
 * A buffer with its label, size and purpose. `dispose` frees it.
 *
 * @example Write and read back
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using losses = gpu.buffer("losses", 16, "scratch");
 * gpu.write(losses, Float32Array.of(0.7, 0.6, 0.5, 0.4));
 * assertEquals(await gpu.readFloats(losses, 2), Float32Array.of(0.7, 0.6));
 * ```
 */
export class GpuBuffer implements Disposable {
  /** The WebGPU buffer. */
  readonly buffer: GPUBuffer;
  /** Size in bytes. */
  readonly size: number;
  /** Purpose. */
  readonly part: Part;
  #free: (() => void) | undefined;

  /** Made by `Gpu.buffer`. */
  constructor(buffer: GPUBuffer, size: number, part: Part, free: () => void) {
    this.buffer = buffer;
    this.size = size;
    this.part = part;
    this.#free = free;
  }

  /** Destroys the buffer and removes it from the memory count. Later calls do nothing. */
  [Symbol.dispose](): void {
    this.#free?.();
    this.#free = undefined;
  }
}

const NO_MEMORY: MemoryByPart = {
  weights: 0,
  offsets: 0,
  activations: 0,
  optimiser: 0,
  scratch: 0,
};

/**
 * A WebGPU device with memory accounting and a cache of compiled pipelines.
 *
 * @example Open the default adapter and allocate a buffer
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * {
 *   using buffer = gpu.buffer("x", 1024, "activations");
 *   assertEquals(gpu.memory.current.activations, buffer.size);
 * }
 * assertEquals(gpu.memory.current.activations, 0);
 * ```
 */
export class Gpu implements Disposable {
  /** The WebGPU device. */
  readonly device: GPUDevice;
  /** Description of the adapter for people. */
  readonly description: string;
  /** Vendor of the adapter; `"unknown"` if the adapter does not report one. */
  readonly vendor: string;
  /** Class of the adapter. */
  readonly adapterClass: AdapterClass;
  /** The device's limits as plain numbers. */
  readonly limits: Readonly<Record<keyof GPUSupportedLimits, number>>;
  /** Features that the device was opened with. */
  readonly features: ReadonlySet<string>;
  /**
   * Lanes per subgroup. Undefined if the device was not opened here or was not granted subgroups. No kernel depends on
   * them.
   */
  readonly subgroups: SubgroupSizes | undefined;
  /** Compiled pipelines. */
  readonly pipelines: PipelineCache;
  /** Limits how much work is submitted at once. */
  readonly pacing: Pacing;
  readonly #owned: boolean;
  #current: Record<Part, number> = { ...NO_MEMORY };
  #peak: Record<Part, number> = { ...NO_MEMORY };
  #peakTotal = 0;
  #lost: GPUDeviceLostInfo | undefined;
  #uncaptured: string | undefined;
  #disposed = false;

  /** Made by `openGpu`. */
  constructor(
    device: GPUDevice,
    info: GPUAdapterInfo,
    owned: boolean,
    pacing: PacingLimits = pacingLimits(isSoftware(info)),
    subgroups?: SubgroupSizes,
  ) {
    this.device = device;
    this.description = describeAdapter(info);
    this.vendor = vendorOf(info);
    this.adapterClass = isSoftware(info) ? "software" : "hardware";
    this.subgroups = subgroups;
    this.limits = readLimits(device.limits);
    this.features = new Set(device.features as unknown as Iterable<string>);
    this.pipelines = PipelineCache.of(device, this.adapterClass === "software");
    this.pacing = new Pacing(pacing);
    this.#owned = owned;
    device.lost.then((info) => {
      this.#lost = info;
    }, () => {});
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#uncaptured ??= (event as GPUUncapturedErrorEvent).error.message;
    });
  }

  /** Current and peak bytes by purpose, and the current and peak total. */
  get memory(): { current: MemoryByPart; peak: MemoryByPart; total: number; peakTotal: number } {
    return {
      current: { ...this.#current },
      peak: { ...this.#peak },
      total: sum(this.#current),
      peakTotal: this.#peakTotal,
    };
  }

  /** The most bytes that one storage binding can cover. */
  get maxBinding(): number {
    return Math.min(this.limits.maxStorageBufferBindingSize, this.limits.maxBufferSize);
  }

  /**
   * Allocates a storage buffer; its size is rounded up to a multiple of 16 bytes.
   *
   * @throws {RangeError} when the size exceeds the device's limit for one buffer.
   * @throws {DeviceLostError} when the device is lost.
   */
  buffer(label: string, bytes: number, part: Part, usage: number = 0): GpuBuffer {
    this.check();
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (size > this.limits.maxBufferSize) {
      throw new RangeError(
        `Cannot allocate "${label}": ${size} bytes exceed this device's largest buffer, ${this.limits.maxBufferSize}`,
      );
    }
    const buffer = this.device.createBuffer({
      label,
      size,
      usage: usage || storageUsage(),
    });
    this.#current[part] += size;
    this.#peak[part] = Math.max(this.#peak[part], this.#current[part]);
    this.#peakTotal = Math.max(this.#peakTotal, sum(this.#current));
    return new GpuBuffer(buffer, size, part, () => {
      this.#current[part] -= size;
      buffer.destroy();
    });
  }

  /**
   * Writes `data` into a buffer, in queue order. Does nothing if `data` is empty, because an empty write ends the
   * process in Deno 2.9.
   */
  write(buffer: GpuBuffer, data: ArrayBuffer | ArrayBufferView<ArrayBuffer>, offset = 0): void {
    if (data.byteLength > 0) this.device.queue.writeBuffer(buffer.buffer, offset, data);
  }

  /** Allocates a buffer and writes `data` into it. */
  upload(label: string, data: ArrayBufferView<ArrayBuffer>, part: Part): GpuBuffer {
    const buffer = this.buffer(label, data.byteLength, part);
    this.write(buffer, data);
    return buffer;
  }

  /**
   * Waits for all submitted work and returns a copy of the given ranges. All are read in one wait, because each wait
   * costs about 11 ms in Deno, however little there is to wait for.
   */
  async read(
    ranges: readonly { buffer: GpuBuffer; offset?: number; bytes?: number }[],
  ): Promise<ArrayBuffer[]> {
    this.check();
    const sizes = ranges.map((r) => r.bytes ?? r.buffer.size - (r.offset ?? 0));
    const total = sizes.reduce((a, b) => a + b, 0);
    using staging = this.buffer(
      "readback",
      total,
      "scratch",
      GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    );
    const encoder = this.device.createCommandEncoder();
    let at = 0;
    ranges.forEach((range, i) => {
      encoder.copyBufferToBuffer(
        range.buffer.buffer,
        range.offset ?? 0,
        staging.buffer,
        at,
        sizes[i],
      );
      at += sizes[i];
    });
    const bytes = await this.#passed(`read back ${total} bytes`, async () => {
      this.device.queue.submit([encoder.finish()]);
      await staging.buffer.mapAsync(GPUMapMode.READ);
      const bytes = staging.buffer.getMappedRange().slice(0);
      staging.buffer.unmap();
      return bytes;
    });
    at = 0;
    return sizes.map((size) => bytes.slice(at, at += size));
  }

  /**
   * Waits for all submitted work.
   *
   * @throws {DeviceLostError} when the device is lost.
   */
  async settled(): Promise<void> {
    await this.#passed("wait", () => this.device.queue.onSubmittedWorkDone());
  }

  /** Waits for the device. If it is lost, this can throw one of several kinds of error. */
  async #passed<T>(what: string, wait: () => Promise<T>): Promise<T> {
    const passed = this.pacing.mark();
    let result: T;
    try {
      result = await wait();
    } catch (cause) {
      // The loss may be reported after the failure that it causes.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.check();
      throw new DeviceLostError(
        `Cannot ${what} on "${this.description}": ${(cause as Error).message}`,
        { cause },
      );
    }
    passed();
    this.check();
    return result;
  }

  /** Reads one buffer as f32. */
  async readFloats(buffer: GpuBuffer, count: number = buffer.size / 4): Promise<Float32Array> {
    const [bytes] = await this.read([{ buffer, bytes: count * 4 }]);
    return new Float32Array(bytes);
  }

  /**
   * Throws what the device has reported since the last call: its loss, a shader that does not compile, lack of memory,
   * or a validation error.
   */
  check(): void {
    if (this.#disposed) throw new DeviceLostError("Cannot use the device: it has been disposed");
    if (this.#lost) {
      throw new DeviceLostError(
        `Cannot use the device "${this.description}": it was lost (${this.#lost.reason}): ${this.#lost.message}`,
      );
    }
    const message = this.#uncaptured;
    this.#uncaptured = undefined;
    // A shader that did not compile causes the errors reported after it.
    this.pipelines.check();
    if (message !== undefined) {
      if (/memory/i.test(message)) {
        throw new OutOfMemoryError(
          `Cannot allocate memory on "${this.description}" with ${
            sum(this.#current)
          } bytes in use: ${message}`,
        );
      }
      throw new Error(`The device "${this.description}" reported: ${message}`);
    }
  }

  /** Destroys the device if it was opened here. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#owned) this.device.destroy();
  }
}

/**
 * Opens a device with the limits and features of its adapter.
 *
 * @throws {NoAdapterError} when the machine has no adapter, or none that matches the options.
 *
 * @example The adapter that saves energy
 * ```ts
 * import { openGpu } from "@qzo/qzo";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu({ powerPreference: "low-power" });
 * assert(["hardware", "software"].includes(gpu.adapterClass));
 * ```
 */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  assertOptions("open a GPU", options, {
    device: "any",
    powerPreference: "any",
    adapter: "any",
    pacing: "any",
    wideVectors: "any",
  });
  if (options.device) {
    return new Gpu(options.device, options.device.adapterInfo, false, options.pacing);
  }
  const wide = widenOnce(options.wideVectors);
  const powerPreference = options.powerPreference ?? "high-performance";
  const adapter = await withRuntimeFolder(async () =>
    await navigator.gpu?.requestAdapter({ powerPreference })
  );
  if (!adapter) {
    throw new NoAdapterError(
      "Cannot open a GPU: WebGPU found no adapter. Install a Vulkan driver (on Debian or Ubuntu: apt install mesa-vulkan-drivers); qzo doctor says what is missing",
    );
  }
  const info = adapter.info;
  const description = describeAdapter(info);
  if (!/llvmpipe/i.test(description)) wide.undo();
  if (options.adapter && !description.toLowerCase().includes(options.adapter.toLowerCase())) {
    throw new NoAdapterError(
      `Cannot open the adapter "${options.adapter}": this machine offers "${description}". With Vulkan, VK_DRIVER_FILES picks the driver`,
    );
  }
  const { device, subgroups } = await requestDevice(adapter);
  return new Gpu(device, info, true, options.pacing, subgroups);
}

/** A function rather than a constant, so that the module loads without WebGPU. */
function storageUsage(): number {
  return GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST |
    GPUBufferUsage.COPY_SRC;
}

function sum(memory: MemoryByPart): number {
  return Object.values(memory).reduce((a, b) => a + b, 0);
}
