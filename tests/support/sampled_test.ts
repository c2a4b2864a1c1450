import { assert, assertEquals } from "@std/assert";
import { sampled } from "./sampled.ts";

const cases = Array.from({ length: 20 }, (_, i) => i);
const settings = { seed: 20261129, all: false, share: 1 };

Deno.test("a sample is a share in order, the same for a seed, and at least one", () => {
  const sample = sampled("a", cases, 0.3, settings);
  assertEquals(sample.length, 6);
  assertEquals(sample, sample.toSorted((a, b) => a - b));
  assertEquals(sampled("a", cases, 0.3, settings), sample);
  assertEquals(sampled("a", cases, 0.3, { ...settings, share: 0.5 }).length, 3);
  assertEquals(sampled("a", cases, 0.001, settings).length, 1);
  assertEquals(sampled("a", cases, 1, settings), cases);
  assertEquals(sampled("a", cases, 0.3, { ...settings, all: true, share: 0.1 }), cases);
});

Deno.test("days and matrices have samples of their own, and all cases come about equally often", () => {
  const times = cases.map(() => 0);
  let alike = 0;
  for (let seed = 20260101; seed < 20260401; seed++) {
    const sample = sampled("a", cases, 0.25, { ...settings, seed });
    for (const one of sample) times[one]++;
    if (`${sampled("b", cases, 0.25, { ...settings, seed })}` === `${sample}`) alike++;
  }
  // 300 seeds, a quarter each: 75 times, give or take four standard deviations.
  assert(
    times.every((count) => Math.abs(count - 25 * 3) < 4 * Math.sqrt(300 * 3 / 16)),
    `${times}`,
  );
  assert(alike < 5, `${alike}`);
});
