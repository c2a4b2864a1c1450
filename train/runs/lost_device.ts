/**
 * Going on after a device was lost: it is opened anew, with less work handed over at once, and the run resumes from its ledger.
 *
 * @module
 */

import { DeviceLostError, type PacingLimits, pacingLimits } from "../../kernels/mod.ts";

/** How a run is tried. */
export interface DeviceAttempt {
  /** Milliseconds that work may take: undefined for the device's own limits. */
  readonly pacing: PacingLimits | undefined;
  /** Whether a device was lost before: what is in the ledger is gone on from. */
  readonly again: boolean;
}

/** What {@linkcode withReopening} takes. */
export interface ReopeningOptions {
  /** Milliseconds that work may take at first. Default: the device's own limits. */
  readonly pacing?: PacingLimits | undefined;
  /** Whether there is something to go on from. Default: there is. */
  readonly canGoOn?: () => Promise<boolean>;
  /** Told of each loss, and of the milliseconds that a submission may take from now on. */
  readonly onLost?: (error: DeviceLostError, pacing: PacingLimits) => void;
  /** Devices opened at most. Default 4. */
  readonly attempts?: number;
}

/**
 * Runs `run`, again with half the time to a dispatch and a submission where the device is lost meanwhile: `run` opens the device itself
 * and resumes where `again` is true.
 *
 * @throws {DeviceLostError} When the device was lost as often as it was opened, or there is nothing to go on from
 *
 * @example The second device holds
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
