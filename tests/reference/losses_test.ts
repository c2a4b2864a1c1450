import { assertAlmostEquals, assertEquals } from "@std/assert";
import { classificationLoss, languageModellingLoss } from "./losses.ts";
import { normalisedMeanSquaredError, relativeL2 } from "./nmse.ts";

Deno.test("language modelling weighs tokens", () => {
  assertEquals(languageModellingLoss([-1, -2, -6]), 3);
  assertEquals(languageModellingLoss([-1, -2, -6], [1, 1, 0]), 1.5);
});

Deno.test("classification compares mean log-probabilities, whatever the lengths", () => {
  const even = [{ candidates: [[-1, -3], [-2]], label: 1 }];
  assertAlmostEquals(classificationLoss(even), Math.LN2, 1e-12);
  // Means -1 and -1 - log 3: odds of 3 to 1.
  const three = { candidates: [[-1], [-1 - Math.log(3), -1 - Math.log(3)]], label: 0 };
  assertAlmostEquals(classificationLoss([three]), Math.log(4 / 3), 1e-12);
  const both = [three, { ...three, label: 1 }];
  assertAlmostEquals(classificationLoss(both), (Math.log(4 / 3) + Math.log(4)) / 2, 1e-12);
});

Deno.test("errors are measured against the expected values' size", () => {
  assertAlmostEquals(normalisedMeanSquaredError([3, 4.5], [3, 4]), 0.01, 1e-12);
  assertAlmostEquals(relativeL2([3, 4.5], [3, 4]), 0.1, 1e-12);
  assertEquals(relativeL2([NaN], [1]), NaN);
});
