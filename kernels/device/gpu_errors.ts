/**
 * Errors of a device that callers handle: there is none, it was lost, or its memory is full.
 *
 * @module
 */

/** Thrown when there is no adapter, or none that matches the options. */
export class NoAdapterError extends Error {
  /** The name of the class. */
  override name = "NoAdapterError";
}

/** Thrown when the device is lost: its driver was reset, or it was unplugged or destroyed. */
export class DeviceLostError extends Error {
  /** The name of the class. */
  override name = "DeviceLostError";
}

/** Thrown when a buffer does not fit in memory. */
export class OutOfMemoryError extends Error {
  /** The name of the class. */
  override name = "OutOfMemoryError";
}
