/**
 * Yields to timers, signals and progress during work that blocks the thread, such as submitting to a software adapter.
 *
 * @module
 */

/** Milliseconds of work after which the event loop gets a turn. */
const TURN = 100;

/**
 * Measures the time since the event loop last got a turn.
 *
 * @example A long loop
 * ```ts
 * import { Turns } from "@qzo/qzo/kernels";
 *
 * const turns = new Turns();
 * for (let i = 0; i < 1e6; i++) {
 *   if (turns.due) await turns.give();
 * }
 * ```
 */
export class Turns {
  #last = performance.now();

  /** Whether it is time to call {@linkcode Turns.give}. */
  get due(): boolean {
    return performance.now() - this.#last >= TURN;
  }

  /**
   * Lets the event loop run once.
   *
   * @throws The signal's reason, if it has been aborted.
   */
  async give(signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#last = performance.now();
    signal?.throwIfAborted();
  }
}
