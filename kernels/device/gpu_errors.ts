/**
 * Errors of a device that callers handle: there is none, it was lost, or its memory is full.
 *
 * @module
 */

/**
 * Thrown when there is no adapter, or none that matches the options.
 *
 * @example An adapter that this machine does not have
 * ```ts
 * import { NoAdapterError, openGpu } from "@qzo/qzo";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => openGpu({ adapter: "Voodoo 2" }), NoAdapterError, "Voodoo 2");
 * ```
 */
export class NoAdapterError extends Error {
  /** The name of the class. */
  override name = "NoAdapterError";
}

/**
 * Thrown when the device is lost: its driver was reset, or it was unplugged or destroyed.
 *
 * @example A device that is used after its block
 * ```ts
 * import { DeviceLostError, openGpu } from "@qzo/qzo/kernels";
 * import { assertThrows } from "@std/assert";
 *
 * const gpu = await openGpu();
 * gpu[Symbol.dispose]();
 * assertThrows(() => gpu.check(), DeviceLostError, "disposed");
 * ```
 */
export class DeviceLostError extends Error {
  /** The name of the class. */
  override name = "DeviceLostError";
}

/**
 * Thrown when a buffer does not fit in memory.
 *
 * @example Handle a full device
 * ```ts
 * import { openGpu, OutOfMemoryError } from "@qzo/qzo/kernels";
 *
 * using gpu = await openGpu();
 * try {
 *   using _cache = gpu.buffer("cache", 2 ** 20, "activations");
 *   gpu.check();
 * } catch (error) {
 *   if (!(error instanceof OutOfMemoryError)) throw error;
 *   console.error(`Use a shorter context: ${error.message}`);
 * }
 * ```
 */
export class OutOfMemoryError extends Error {
  /** The name of the class. */
  override name = "OutOfMemoryError";
}
