import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { kShot, splitExamples, subsample } from "../../tasks/split.ts";

const items = Array.from({ length: 100 }, (_, i) => i);

Deno.test("parts are disjoint, seeded and of the sizes asked for", () => {
  const parts = splitExamples(items, { train: 60, dev: 30, test: 10, seed: 4 });
  assertEquals([parts.train.length, parts.dev.length, parts.test.length], [60, 30, 10]);
  assertEquals([...parts.train, ...parts.dev, ...parts.test].toSorted((a, b) => a - b), items);
  assertEquals(splitExamples(items, { train: 60, seed: 4 }).train, parts.train);
  assertNotEquals(splitExamples(items, { train: 60, seed: 5 }).train, parts.train);
  assertThrows(
    () => splitExamples(items, { train: 60, dev: 41 }),
    RangeError,
    "there are only 100",
  );
  assertThrows(() => splitExamples(items, { train: -1 }), RangeError, "-1");
});

Deno.test("a subsample is never more than there is", () => {
  assertEquals(new Set(subsample(items, 10, 1)).size, 10);
  assertEquals(subsample(items, 1000, 1).toSorted((a, b) => a - b), items);
});

Deno.test("k of every class, or an error that names the class", () => {
  const shots = kShot(items, (item) => item % 3, 5, 2);
  assertEquals([0, 1, 2].map((one) => shots.filter((item) => item % 3 === one).length), [5, 5, 5]);
  assertThrows(
    () => kShot(items, (item) => item === 7 ? "rare" : "other", 2),
    RangeError,
    '"rare" has only 1',
  );
});
