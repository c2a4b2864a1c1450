/**
 * How often tests kill what they started, and by which random numbers: a few times and anew each run; `QZO_KILLS=200 QZO_KILLS_SEED=7` does more, and
 * the same again.
 *
 * @module
 */

/** Kills of one test, `few` by default. */
export function killsOr(few: number): number {
  return Number(Deno.env.get("QZO_KILLS") ?? few);
}

/** Seed of the moments; to be printed. */
export const killSeed: number = Number(Deno.env.get("QZO_KILLS_SEED") ?? Date.now() % 2 ** 31);
