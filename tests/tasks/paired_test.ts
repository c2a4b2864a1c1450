import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { pairedAccuracy, pairedMean } from "../../tasks/mod.ts";
import { randomNumbers } from "../support/random_llama.ts";

/** Predictions of `count` examples whose label is 1: `gained`, `lost`, and the rest right both times. */
function predictions(count: number, gained: number, lost: number) {
  const labels = new Array(count).fill(1);
  const before = labels.map((_, i) => i < gained ? 0 : 1);
  const after = labels.map((_, i) => i >= gained && i < gained + lost ? 0 : 1);
  return [before, after, labels] as const;
}

Deno.test("McNemar's exact test has the values of sums of whole numbers in Python, both ways", () => {
  for (
    const [gained, lost, p] of [
      [9, 1, 0.021484375],
      [0, 0, 1],
      [5, 5, 1],
      [0, 6, 0.03125],
      [12, 3, 0.03515625],
      [150, 100, 0.001883300935],
      [700, 600, 0.006015793861],
    ]
  ) {
    const found = pairedAccuracy(...predictions(2000, gained, lost));
    assertAlmostEquals(found.p, p, 1e-5 + 1e-4 * p, `${gained}, ${lost}`);
    assertEquals([found.gained, found.lost], [gained, lost]);
    assertEquals(found.difference, (gained - lost) / 2000);
  }
});

Deno.test("intervals of paired differences cover the truth as often as they say", () => {
  const random = randomNumbers(3);
  // Each example changes sides with these chances: the true difference is 4 points.
  const [up, down, count] = [0.12, 0.08, 150];
  let [covered, coveredLoss] = [0, 0];
  for (let trial = 0; trial < 2000; trial++) {
    const labels = new Array(count).fill(1);
    const before: number[] = [];
    const after: number[] = [];
    const losses: number[] = [];
    for (let i = 0; i < count; i++) {
      const u = random();
      const was = u < up ? 0 : u < up + down ? 1 : Number(random() < 0.7);
      before.push(was);
      after.push(u < up ? 1 : u < up + down ? 0 : was);
      losses.push(3 * random());
    }
    const { low, high } = pairedAccuracy(before, after, labels);
    if (low <= up - down && up - down <= high) covered++;
    const mean = pairedMean(losses, losses.map((loss) => loss + random() - 0.6));
    if (mean.low <= -0.1 && -0.1 <= mean.high) coveredLoss++;
  }
  // 95 % of 2,000 have a standard deviation of 10.
  for (const found of [covered, coveredLoss]) assert(found > 1860 && found < 1940, `${found}`);
});

Deno.test("weights count examples as often as they say; what does not fit is refused", () => {
  const { difference } = pairedMean([1, 2], [2, 2], [3, 1]);
  assertAlmostEquals(difference, 0.75);
  assertEquals(pairedMean([1], [2]).high, Infinity);
  assertEquals(pairedMean([1, 5], [2, 1], [3, 0]), {
    difference: 1,
    low: -Infinity,
    high: Infinity,
  });
  assertEquals(pairedMean([1, 2, 9], [2, 4, 1], [1, 1, 0]), pairedMean([1, 2], [2, 4]));
  assertThrows(() => pairedMean([1], [2, 3]), TypeError, "1 before, 2 after");
  assertThrows(() => pairedMean([], []), RangeError);
  assertThrows(() => pairedAccuracy([1], [1, 1], [1, 1]), TypeError, "1 and 2 predictions");
  assertThrows(() => pairedAccuracy([], [], []), RangeError);
});
