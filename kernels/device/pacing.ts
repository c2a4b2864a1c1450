/**
 * Limits on the work in one dispatch and in one submission, so that no driver concludes that the device hangs. macOS
 * ends command buffers that take a few hundred milliseconds; Windows resets a device after two seconds. Running times
 * are predicted from measurements made during this run.
 *
 * @module
 */

/** Limits of running time in milliseconds. */
export interface PacingLimits {
  /** Longest time of one dispatch. */
  readonly dispatch: number;
  /** Longest time of one submission. */
  readonly submission: number;
  /**
   * Multiply-adds per millisecond to assume before the first measurement. Default: a cautious value for the slowest
   * GPUs.
   */
  readonly firstRate?: number;
}

/**
 * Limits by kind of adapter: macOS, whose window server needs regular turns, all other GPUs, and software adapters. No
 * driver watches software adapters, but on them submitting takes as long as the work itself and delays signals.
 */
export const PACING_LIMITS: Readonly<Record<"apple" | "other" | "software", PacingLimits>> = {
  apple: { dispatch: 50, submission: 80 },
  other: { dispatch: 50, submission: 250 },
  software: { dispatch: 250, submission: 250, firstRate: 2e6 },
};

/**
 * The limits of an adapter on this machine.
 *
 * @example A GPU on Linux
 * ```ts
 * import { pacingLimits } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(pacingLimits(false, "Linux x86_64"), { dispatch: 50, submission: 250 });
 * ```
 */
export function pacingLimits(
  software: boolean,
  platform: string = navigator.platform ?? "",
): PacingLimits {
  if (software) return PACING_LIMITS.software;
  return /^mac/i.test(platform) ? PACING_LIMITS.apple : PACING_LIMITS.other;
}

/** Multiply-adds per millisecond of the slowest GPUs. */
const FIRST_RATE = 2e7;
/** Below this, the overhead of waiting dominates the measurement. */
const SHORTEST_SAMPLE = 30;
const SAMPLES = 4;

/**
 * Counts the work submitted to a device, measures how long it takes, and tells how much may be submitted at once.
 *
 * @example A measured rate
 * ```ts
 * import { Pacing } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * let now = 0;
 * const pacing = new Pacing({ dispatch: 50, submission: 250 }, () => now);
 * pacing.sent(2e9);
 * const passed = pacing.mark();
 * now = 100;
 * passed();
 * assertEquals([pacing.rate, pacing.dispatchWork], [2e7, 1e9]);
 * ```
 */
export class Pacing {
  readonly #limits: PacingLimits;
  readonly #now: () => number;
  readonly #samples: { readonly work: number; readonly milliseconds: number }[] = [];
  #rate: number;
  #sent = 0;
  #compiles = false;
  #begun: number | undefined;
  #done = -Infinity;

  /**
   * Creates a pacing. `now` is a clock in milliseconds.
   *
   * @throws {RangeError} for a limit that is not greater than 0.
   */
  constructor(limits: PacingLimits, now: () => number = () => performance.now()) {
    for (const [name, value] of Object.entries(limits)) {
      if (!(value > 0)) {
        throw new RangeError(
          `Cannot pace a device: ${name} of ${value} milliseconds, expected more than 0`,
        );
      }
    }
    this.#limits = limits;
    this.#rate = limits.firstRate ?? FIRST_RATE;
    this.#now = now;
  }

  /** The limits in use. */
  get limits(): PacingLimits {
    return this.#limits;
  }

  /** Multiply-adds per millisecond: measured, or a cautious assumption before the first measurement. */
  get rate(): number {
    return this.#rate;
  }

  /** The most multiply-adds in one dispatch. */
  get dispatchWork(): number {
    return this.#rate * this.#limits.dispatch;
  }

  /** The most multiply-adds in one submission. */
  get submissionWork(): number {
    return this.#rate * this.#limits.submission;
  }

  /** Notes that work was submitted. If it included compilation, its running time is not used to measure the rate. */
  sent(work: number, compiles = false): void {
    this.#begun ??= this.#now();
    this.#sent += work;
    this.#compiles ||= compiles;
  }

  /** Marks the end of the work submitted so far. Call the returned function when the device has finished it. */
  mark(): () => void {
    const work = this.#sent;
    const begun = this.#begun;
    const compiles = this.#compiles;
    this.#sent = 0;
    this.#compiles = false;
    this.#begun = undefined;
    return () => {
      const now = this.#now();
      const milliseconds = now - Math.max(begun ?? now, this.#done);
      this.#done = now;
      if (work <= 0 || compiles || milliseconds < SHORTEST_SAMPLE) return;
      this.#learn(work, milliseconds);
    };
  }

  /** If one wait ends late, the next is shorter by the same amount; the sum of both is right. */
  #learn(work: number, milliseconds: number): void {
    this.#samples.push({ work, milliseconds });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    const total = (of: "work" | "milliseconds") => this.#samples.reduce((sum, s) => sum + s[of], 0);
    this.#rate = total("work") / total("milliseconds");
  }

  /**
   * Whether a plan should be split again: its largest dispatch has `largest` multiply-adds, which is now far above or,
   * if it was split, far below the limit.
   */
  isStale(largest: number, isSplit: boolean): boolean {
    return largest > 1.5 * this.dispatchWork || isSplit && largest < this.dispatchWork / 8;
  }
}
