/**
 * Timings for noisy machines: entries take turns in one process, and the main results are ratios.
 *
 * @module
 */
import process from "node:process";

/** The duration of a run in milliseconds. */
export interface Taken {
  /** Processor time of this process, which hardly depends on what else the machine is doing. */
  readonly processor: number;
  readonly clock: number;
}

/** Times one run. */
export async function timed(run: () => Promise<void>): Promise<Taken> {
  const [begun, used] = [performance.now(), process.cpuUsage()];
  await run();
  const { user, system } = process.cpuUsage(used);
  return { processor: (user + system) / 1000, clock: performance.now() - begun };
}

/** Something to time. */
export interface TimedEntry {
  readonly name: string;
  /** Queues or does the work once. */
  readonly run: () => void | Promise<void>;
  /** Waits until all work of `run` is done. Required if `run` only queues it on the GPU. */
  readonly wait?: () => Promise<unknown>;
}

/** Numbers of repetitions. */
export interface TimingOptions {
  /** Number of rounds. In each, every entry has one turn, in rotating order. Default 7. */
  readonly rounds?: number;
  /** Number of runs per turn, with one wait at its end. Default 20. */
  readonly batch?: number;
  /** Number of turns of every entry before the first round, to compile shaders and warm caches. Default 1. */
  readonly warmUp?: number;
}

/** Median and range. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Milliseconds per run of an entry, and their ratio to those of the first entry in the same rounds. */
export interface Timing {
  readonly name: string;
  readonly milliseconds: Spread;
  /** This entry's time divided by the first entry's, per round. */
  readonly ratio: Spread;
}

/** Median (for an even number of values, the mean of the middle two), minimum and maximum. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

/** The median. For an even number of values, the mean of the middle two. */
export function median(values: readonly number[]): number {
  return spread(values).median;
}

/**
 * Times entries in turns: in each of `rounds` rounds, every entry runs `batch` times and waits once. Ratios are taken within a round, so that
 * slowdowns of the whole machine cancel out.
 *
 * @throws {RangeError} when there is nothing to time.
 */
export async function compareInterleaved(
  entries: readonly TimedEntry[],
  options: TimingOptions = {},
): Promise<Timing[]> {
  const { rounds = 7, batch = 20, warmUp = 1 } = options;
  if (entries.length === 0 || rounds < 1 || batch < 1) {
    throw new RangeError(
      `Cannot time ${entries.length} entries ${batch} times in ${rounds} rounds`,
    );
  }
  const turn = async (entry: TimedEntry): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < batch; i++) await entry.run();
    await entry.wait?.();
    return (performance.now() - start) / batch;
  };
  for (let i = 0; i < warmUp; i++) for (const entry of entries) await turn(entry);
  const times: number[][] = entries.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < entries.length; i++) {
      const index = (i + round) % entries.length;
      times[index].push(await turn(entries[index]));
    }
  }
  return entries.map(({ name }, i) => ({
    name,
    milliseconds: spread(times[i]),
    ratio: spread(times[i].map((time, round) => time / times[0][round])),
  }));
}

/** A number with three significant digits, without an exponent for common magnitudes. */
export function significant(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** A spread as text: `median (min-max)`. */
export function formatSpread({ median, min, max }: Spread): string {
  return `${significant(median)} (${significant(min)}-${significant(max)})`;
}

/** A Markdown table of timings. */
export function timingTable(timings: readonly Timing[]): string {
  const rows = timings.map(({ name, milliseconds, ratio }) =>
    `| ${name} | ${formatSpread(milliseconds)} | ${formatSpread(ratio)} |`
  );
  return [
    `| what | ms per run, median (range) | ÷ ${timings[0].name} |`,
    "|---|---|---|",
    ...rows,
  ].join("\n");
}
