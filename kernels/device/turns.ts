/**
 * Work that holds the thread, as submitting to a software adapter does, and others that wait for their turn: timers, signals, progress.
 *
 * @module
 */

/** Milliseconds of work after which others have their turn. */
const TURN = 100;

/** Counts the time since others had their turn. */
export class Turns {
  #last = performance.now();

  /** Whether it is time for {@linkcode Turns.give}. */
  get due(): boolean {
    return performance.now() - this.#last >= TURN;
  }

  /**
   * Lets the event loop turn once.
   *
   * @throws the signal's reason, where it was aborted then
   */
  async give(signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#last = performance.now();
    signal?.throwIfAborted();
  }
}
