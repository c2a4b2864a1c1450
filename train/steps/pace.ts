/**
 * How fast steps are made: one definition for events, metrics and progress.
 *
 * @module
 */
import type { Chunk } from "./chunk_queue.ts";

/** The pace as of one step. */
export interface StepPace {
  /** Seconds of training since the session's first step was done: evaluations are not in it; 0 for that step. */
  readonly seconds: number;
  /** Tokens through the model a second in that time; of the first step its own, in which pipelines are compiled. */
  readonly tokensPerSecond: number;
  /** Milliseconds of a step in that time; of the first step its own. */
  readonly millisecondsPerStep: number;
}

/**
 * The running mean of a session's steps. Its first chunk is left out of what comes after: it compiles. Chunks by themselves tell
 * little: one that was queued ahead of another is told of right after it, as if it had taken no time.
 */
export class Pace {
  #seconds = 0;
  #steps = 0;
  #tokens = 0;
  #compiled = false;

  /** Takes a chunk that is done; the pace as of its step `i`, counted from 0. */
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
