/**
 * Continues after a device was lost: opens it again, submits less work at once, and resumes the run from its ledger.
 *
 * @module
 */

import { DeviceLostError, type PacingLimits, pacingLimits } from "../../kernels/mod.ts";

/** One attempt of a run. */
export interface DeviceAttempt {
  /** Limits of running time in milliseconds. Undefined for the device's own limits. */
  readonly pacing: PacingLimits | undefined;
  /** Whether a device was lost before, so that the run must resume from its ledger. */
  readonly again: boolean;
}

/** Options of {@linkcode withReopening}. */
export interface ReopeningOptions {
  /** Limits of running time at first, in milliseconds. Default: the device's own limits. */
  readonly pacing?: PacingLimits | undefined;
  /** Whether there is a ledger to resume from. Default: always true. */
  readonly canGoOn?: () => Promise<boolean>;
  /** Called for each loss, with the limits of running time from now on. */
  readonly onLost?: (error: DeviceLostError, pacing: PacingLimits) => void;
  /** The most devices to open. Default 4. */
  readonly attempts?: number;
}

/**
 * Calls `run`. If the device is lost, calls it again with half the limits for dispatches and submissions. `run` opens the device itself, and
 * must resume if `again` is true.
 *
 * @throws {DeviceLostError} when the device was lost in every attempt, or there is nothing to resume from.
 *
 * @example The second attempt succeeds
 * ```ts
 * import { withReopening } from "@qzo/qzo/train";
 * import { DeviceLostError } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const submissions: (number | undefined)[] = [];
 * const result = await withReopening(({ pacing, again }) => {
 *   submissions.push(pacing?.submission);
 *   if (!again) throw new DeviceLostError("reset by the driver");
 *   return Promise.resolve("done");
 * }, { pacing: { dispatch: 50, submission: 250 } });
 * assertEquals([result, submissions], ["done", [250, 125]]);
 * ```
 */
export async function withReopening<T>(
  run: (attempt: DeviceAttempt) => Promise<T>,
  { pacing, canGoOn = () => Promise.resolve(true), onLost, attempts = 4 }: ReopeningOptions = {},
): Promise<T> {
  let limits = pacing;
  for (let attempt = 1;; attempt++) {
    try {
      return await run({ pacing: limits, again: attempt > 1 });
    } catch (error) {
      if (!(error instanceof DeviceLostError) || attempt >= attempts) throw error;
      if (!await canGoOn()) throw error;
      const { dispatch, submission } = limits ?? pacingLimits(false);
      limits = { dispatch: dispatch / 2, submission: submission / 2 };
      onLost?.(error, limits);
    }
  }
}
