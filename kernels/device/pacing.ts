/**
 * How much work a dispatch and a submission may hold, so that no driver takes the device for hung: macOS ends command buffers of a few
 * hundred milliseconds, Windows resets a device after two seconds. Time is bounded by what this very run has measured.
 *
 * @module
 */

/** Milliseconds that work may take. */
export interface PacingLimits {
  /** One dispatch. */
  readonly dispatch: number;
  /** One submission. */
  readonly submission: number;
  /** Multiply-adds a millisecond that are assumed before anything was measured. Default: those of the slowest GPU that is thought of. */
  readonly firstRate?: number;
}

/**
 * The limits of macOS, whose window server wants its turn, of all others, and of software, which no driver watches but where submitting takes as
 * long as the work: signals wait for it.
 */
export const PACING_LIMITS: Readonly<Record<"apple" | "other" | "software", PacingLimits>> = {
  apple: { dispatch: 50, submission: 80 },
  other: { dispatch: 50, submission: 250 },
  software: { dispatch: 250, submission: 250, firstRate: 2e6 },
};

/** The limits of an adapter on this machine. */
export function pacingLimits(
  software: boolean,
  platform: string = navigator.platform ?? "",
): PacingLimits {
  if (software) return PACING_LIMITS.software;
  return /^mac/i.test(platform) ? PACING_LIMITS.apple : PACING_LIMITS.other;
}

/** Multiply-adds a millisecond of the slowest GPU that is thought of. */
const FIRST_RATE = 2e7;
/** Below this the wait itself is most of what is measured. */
const SHORTEST_SAMPLE = 30;
const SAMPLES = 4;

/** Counts the work that a device is given, measures how long it takes, and says how much may be given at once. */
export class Pacing {
  readonly #limits: PacingLimits;
  readonly #now: () => number;
  readonly #samples: { readonly work: number; readonly milliseconds: number }[] = [];
  #rate: number;
  #sent = 0;
  #compiles = false;
  #begun: number | undefined;
  #done = -Infinity;

  /** `now` is a clock in milliseconds. */
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

  /** What it keeps to. */
  get limits(): PacingLimits {
    return this.#limits;
  }

  /** Multiply-adds a millisecond, as measured; a cautious guess before. */
  get rate(): number {
    return this.#rate;
  }

  /** Multiply-adds that one dispatch may hold. */
  get dispatchWork(): number {
    return this.#rate * this.#limits.dispatch;
  }

  /** Multiply-adds that one submission may hold. */
  get submissionWork(): number {
    return this.#rate * this.#limits.submission;
  }

  /** Told of work that was submitted; where something is compiled with it, its time says nothing of the rate. */
  sent(work: number, compiles = false): void {
    this.#begun ??= this.#now();
    this.#sent += work;
    this.#compiles ||= compiles;
  }

  /** A place in the queue, behind all that was sent: call what it returns once the device has passed it. */
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

  /** A wait may end late and the next one early for it: their sum is right. */
  #learn(work: number, milliseconds: number): void {
    this.#samples.push({ work, milliseconds });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    const total = (of: "work" | "milliseconds") => this.#samples.reduce((sum, s) => sum + s[of], 0);
    this.#rate = total("work") / total("milliseconds");
  }

  /** Whether dispatches of at most `largest` multiply-adds, some of which were split or not, are far from what is allowed now. */
  isStale(largest: number, isSplit: boolean): boolean {
    return largest > 1.5 * this.dispatchWork || isSplit && largest < this.dispatchWork / 8;
  }
}
