/**
 * Tests whether two groups of loss curves could come from the same method.
 *
 * @module
 */

/** Losses at the same steps, one row per run. */
export type Curves = readonly (readonly number[])[];

/** The result of comparing two groups of curves. */
export interface Agreement {
  /** P-value: the fraction of all divisions of the runs into two such groups whose means are at least as far apart at some step. */
  readonly p: number;
  /** Largest distance between the means, in units of the sum of their standard errors. */
  readonly distance: number;
  /** Number of points of either group outside the other's 99 % prediction interval for one more run, and number of all points. */
  readonly outside: readonly [number, number];
}

/** 99.5 % quantiles of Student's t, by degrees of freedom from 1. */
const student = [63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.25];

/** Mean and standard deviation at each step. */
export function spread(curves: Curves): { readonly mean: number; readonly deviation: number }[] {
  return curves[0].map((_, at) => {
    const values = curves.map((curve) => curve[at]);
    const mean = values.reduce((a, b) => a + b) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { mean, deviation: Math.sqrt(squares / Math.max(1, values.length - 1)) };
  });
}

/** All subsets of `take` of the numbers below `of`. */
function choices(of: number, take: number): number[][] {
  if (take === 0) return [[]];
  return of < take ? [] : [
    ...choices(of - 1, take),
    ...choices(of - 1, take - 1).map((chosen) => [...chosen, of - 1]),
  ];
}

function outsiders(runs: Curves, others: Curves): number {
  const n = others.length;
  const reach = student[Math.min(n - 1, student.length) - 1] * Math.sqrt(1 + 1 / n);
  return spread(others).reduce(
    (count, { mean, deviation }, at) =>
      count + runs.filter((run) => Math.abs(run[at] - mean) > reach * deviation).length,
    0,
  );
}

/**
 * Compares two groups of at least two curves over the same steps. The p-value is that of an exact permutation test of the largest distance between the
 * means over all steps. It assumes no distribution of the losses, and all steps together are one test.
 *
 * @throws {RangeError} when there are fewer curves, or they differ in length.
 */
export function agreement(a: Curves, b: Curves): Agreement {
  const all = [...a, ...b];
  if (a.length < 2 || b.length < 2 || all.some((curve) => curve.length !== all[0].length)) {
    throw new RangeError(
      `Cannot compare ${a.length} with ${b.length} curves of lengths ${all.map((c) => c.length)}`,
    );
  }
  // The deviation of all runs together, so that it does not depend on the division into groups.
  const scale = spread(all).map(({ deviation }) => deviation || Number.MIN_VALUE);
  const apart = (first: readonly number[]) => {
    const [mine, theirs] = [true, false].map((in_) =>
      spread(all.filter((_, i) => first.includes(i) === in_))
    );
    return Math.max(...mine.map(({ mean }, at) => Math.abs(mean - theirs[at].mean) / scale[at]));
  };
  const seen = apart(a.map((_, i) => i));
  const dealt = choices(all.length, a.length).map(apart);
  const [one, two] = [spread(a), spread(b)];
  return {
    p: dealt.filter((distance) => distance >= seen * (1 - 1e-12)).length / dealt.length,
    distance: Math.max(...one.map(({ mean, deviation }, at) => {
      const error = deviation / Math.sqrt(a.length) + two[at].deviation / Math.sqrt(b.length);
      return Math.abs(mean - two[at].mean) / (error || Number.MIN_VALUE);
    })),
    outside: [outsiders(a, b) + outsiders(b, a), all.length * all[0].length],
  };
}
