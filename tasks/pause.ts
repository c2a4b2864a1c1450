/**
 * Pauses long work on the host, so that timers, signals and progress can run.
 *
 * @module
 */

/** Measures when long work on the host should pause; see {@linkcode Pause.rest}. */
export class Pause {
  readonly #signal: AbortSignal | undefined;
  readonly #every: number;
  #last: number;

  /** `every` is the time between pauses in milliseconds. `signal` aborts the work. */
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
   * Lets the event loop run once, so that timers and signals are handled.
   *
   * @throws the signal's reason when it aborts.
   */
  async rest(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#signal?.throwIfAborted();
    this.#last = performance.now();
  }
}
