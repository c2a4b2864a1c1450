/**
 * Work on the host that lets others have their turn: timers, signals, progress.
 *
 * @module
 */

/** Where long work on the host stands still now and then; see {@linkcode Pause.rest}. */
export class Pause {
  readonly #signal: AbortSignal | undefined;
  readonly #every: number;
  #last: number;

  /** Every `every` milliseconds, unless `signal` stops the work. */
  constructor(signal?: AbortSignal, every = 50) {
    this.#signal = signal;
    this.#every = every;
    this.#last = performance.now();
  }

  /** Whether it is time for {@linkcode Pause.rest}. */
  get due(): boolean {
    return performance.now() - this.#last > this.#every;
  }

  /**
   * Lets the event loop turn once, so that timers and signals are served.
   *
   * @throws the signal's reason, when it stops the work.
   */
  async rest(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#signal?.throwIfAborted();
    this.#last = performance.now();
  }
}
