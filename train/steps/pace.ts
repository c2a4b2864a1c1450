/**
 * The pace of training steps: one definition for events, metrics and progress.
 *
 * @module
 */
import type { Chunk } from "./chunk_queue.ts";

/** The pace as of one step. */
export interface StepPace {
  /** Seconds of training since the session's first step was done, without evaluations. 0 for that step. */
  readonly seconds: number;
  /** Tokens processed per second in that time. For the first step, its own rate, which includes compilation of pipelines. */
  readonly tokensPerSecond: number;
  /** Milliseconds per step in that time. For the first step, its own duration. */
  readonly millisecondsPerStep: number;
}

/**
 * The running mean of a session's steps. The first chunk is excluded from later means, because it includes compilation. The times of single
 * chunks say little: a chunk queued behind another is reported right after it, as if it had taken no time.
 */
export class Pace {
  #seconds = 0;
  #steps = 0;
  #tokens = 0;
  #compiled = false;

  /** Adds a finished chunk. The returned function gives the pace as of its step `i`, counted from 0. */
  add(
    { steps, tokens, milliseconds }: Pick<Chunk, "steps" | "tokens" | "milliseconds">,
  ): (i: number) => StepPace {
    if (!this.#compiled) {
      this.#compiled = true;
      return () => ({
        seconds: 0,
        tokensPerSecond: tokens / milliseconds * 1000,
        millisecondsPerStep: milliseconds / steps,
      });
    }
    const [before, stepsBefore] = [this.#seconds, this.#steps];
    this.#seconds += milliseconds / 1000;
    this.#steps += steps;
    this.#tokens += tokens;
    const [seconds, all, tokensPerSecond] = [
      this.#seconds,
      this.#steps,
      this.#tokens / this.#seconds,
    ];
    return (i) => ({
      seconds: before + (seconds - before) * (i + 1) / (all - stepsBefore),
      tokensPerSecond,
      millisecondsPerStep: 1000 * seconds / all,
    });
  }
}
