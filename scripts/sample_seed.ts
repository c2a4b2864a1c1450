/**
 * Which part of large matrices of cases a run of the tests takes: `tests/support/sampled.ts`.
 *
 * @module
 */

/** `QZO_SEED`, or the date (UTC, as 20261129). */
export const sampleSeed: number = Number(
  Deno.env.get("QZO_SEED") ?? new Date().toISOString().slice(0, 10).replaceAll("-", ""),
);

/** Whether every case is run: `QZO_CASES=all`. */
export const allCases: boolean = Deno.env.get("QZO_CASES") === "all";

/** In words. */
export const sampleSaid: string = allCases
  ? "Every case of large matrices (QZO_CASES=all)"
  : `Of large matrices a sample (QZO_SEED=${sampleSeed}; QZO_CASES=all runs every case)`;
