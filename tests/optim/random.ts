import { threefry2x32 } from "../../optim/mod.ts";

/** Seeded numbers in [0, 1) for tests. */
export function random(seed: number): () => number {
  let counter = 0;
  return () => threefry2x32([seed, 0x7e57], [counter++, 0])[0] / 2 ** 32;
}
