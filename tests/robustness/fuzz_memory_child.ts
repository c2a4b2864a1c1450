/**
 * Reads damaged inputs of every reader and prints, by reader, the most memory of the process above what it has idle, in MiB, and from which input
 * on: arguments are how many and the seed. To be run with `--v8-flags=--expose-gc`.
 *
 * @module
 */
import { peakSinceReset, resetPeak } from "../support/peak_memory.ts";
import { countsOf, inputSeed, readersIn } from "./fuzz_readers.ts";

/** Inputs between two looks: what they leave is garbage, which counts until it is collected. */
const BATCH = 20;

const collect = (globalThis as unknown as { gc: () => void }).gc;
const [inputs, seed] = Deno.args.map(Number);
const root = await Deno.makeTempDir();
try {
  const readers = await readersIn(root);
  const tryOne = async (place: number, i: number) => {
    try {
      await readers[place].read(inputSeed(seed, place, i));
    } catch {
      // What it says is looked at where times are.
    }
  };
  // What is loaded and compiled once is no input's.
  for (const place of readers.keys()) for (let i = 0; i < 8; i++) await tryOne(place, i);
  collect();
  resetPeak();
  const idle = peakSinceReset();
  const counts = countsOf(readers, inputs);
  const found: Record<string, { mib: number; from: number }> = {};
  for (const [place, { name }] of readers.entries()) {
    found[name] = { mib: 0, from: 0 };
    for (let from = 0; from < counts[place]; from += BATCH) {
      collect();
      resetPeak();
      for (let i = from; i < Math.min(from + BATCH, counts[place]); i++) await tryOne(place, i);
      const mib = (peakSinceReset() - idle) / 2 ** 20;
      if (mib > found[name].mib) found[name] = { mib, from };
    }
  }
  console.log(JSON.stringify(found));
} finally {
  await Deno.remove(root, { recursive: true });
}
