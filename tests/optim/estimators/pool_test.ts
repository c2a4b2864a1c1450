import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  bestOf,
  contrastOf,
  fillNoise,
  hostOps,
  masterSeed,
  mezoGreedy,
  mezoGv,
  Session,
  stepSeed,
} from "../../../optim/mod.ts";
import { random } from "../random.ts";
import { Sample } from "../sample.ts";

/** Losses at `epsilon z` of a linear function, in f64, and the directions. */
function linearPool(trial: number, candidates: number, gradient: readonly number[]) {
  const directions = Array.from(
    { length: candidates },
    (_, q) =>
      fillNoise(
        "normal",
        stepSeed(masterSeed(6), trial, q),
        3,
        0,
        new Float32Array(gradient.length),
      ),
  );
  const along = directions.map((z) => gradient.reduce((sum, g, i) => sum + g * z[i], 0));
  return { directions, along };
}

Deno.test("bestOf keeps the lowest loss alone, of equal ones the first", () => {
  const values = (losses: number[]) =>
    bestOf({ epsilon: 0.5, candidates: 3 }).derivatives(hostOps, losses);
  assertEquals(values([4, 5, 2, 3]), [0, -12, 0]);
  assertEquals(values([4, 2, 2, 2]), [-12, 0, 0]);
  assertEquals(values([1, 3, 4, 2]), [0, 0, 6]);
});

Deno.test("contrastOf by sorting: means of both ends, ties in order, whatever the sizes", () => {
  const next = random(5);
  for (const [candidates, top, bottom] of [[2, 1, 1], [5, 2, 3], [7, 3, 2], [16, 4, 12]]) {
    const estimator = contrastOf({ epsilon: 0.25, candidates, top, bottom });
    for (let trial = 0; trial < 40; trial++) {
      const losses = Array.from({ length: candidates }, () => Math.floor(6 * next()));
      const order = [...losses.keys()].sort((a, b) => losses[a] - losses[b] || a - b);
      const mean = (list: number[]) => list.reduce((sum, i) => sum + losses[i], 0) / list.length;
      const ends = [order.slice(0, top), order.slice(candidates - bottom)];
      const along = (mean(ends[0]) - mean(ends[1])) * candidates / 0.25;
      estimator.derivatives(hostOps, losses).forEach((value, i) => {
        const share = ends[0].includes(i) ? 1 / top : ends[1].includes(i) ? -1 / bottom : 0;
        assertAlmostEquals(value, along * share, 1e-4);
      });
    }
  }
});

Deno.test("the best of n candidates estimates the gradient, times the mean square of the least of n normals", () => {
  const gradient = [0.6, -0.8, 0, 0];
  // E[min^2] by numbers, for the levels of the table: P(min >= x) = P(z >= x)^n in one dimension of the gradient.
  const n = 4;
  const along = new Sample();
  const across = new Sample();
  const expected = new Sample();
  const estimator = bestOf({ epsilon: 1, candidates: n });
  const next = random(9);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  for (let trial = 0; trial < 20000; trial++) {
    const { directions, along: slopes } = linearPool(trial, n, gradient);
    const values = estimator.derivatives(hostOps, [0, ...slopes]);
    // A step divides by the number of directions.
    const move = (i: number) => directions.reduce((sum, z, q) => sum + values[q] * z[i], 0) / n;
    along.add(0.6 * move(0) - 0.8 * move(1));
    across.add(move(2));
    expected.add(Math.min(...Array.from({ length: n }, normal)) ** 2);
  }
  // The sample of true normals has an error of its own, and the table is a normal to within 0.02.
  along.assertMean(expected.mean, "along the gradient", 4.5 * expected.error + 0.02);
  across.assertMean(0, "across");
});

Deno.test("the contrast of two is twice the gradient: their difference has variance 2", () => {
  const gradient = [1, -2, 0.5];
  const mean = gradient.map(() => new Sample());
  const estimator = contrastOf({ epsilon: 1, candidates: 2 });
  for (let trial = 0; trial < 20000; trial++) {
    const { directions, along } = linearPool(trial, 2, gradient);
    const values = estimator.derivatives(hostOps, along);
    mean.forEach((sample, i) =>
      sample.add((values[0] * directions[0][i] + values[1] * directions[1][i]) / 2)
    );
  }
  mean.forEach((sample, i) => sample.assertMean(2 * gradient[i], `element ${i}`));
});

Deno.test("a pool goes where its candidates say: greedy to the best, the contrast from the worst to the best", () => {
  const parameters = new Float32Array(6);
  const greedy = new Session({
    parameters,
    optimiser: mezoGreedy({ queries: 3, epsilon: 1, learningRate: 1 }),
  });
  const [, , second] = greedy.ask();
  greedy.tell([1, 1, 0.5, 2]);
  assertEquals(greedy.offsets, second.map((z) => z / 2));
  const contrast = new Session({
    parameters,
    optimiser: mezoGv({ queries: 2, epsilon: 1, learningRate: 1 }),
  });
  const [a, b] = contrast.ask();
  contrast.tell([2, 1]);
  assertEquals(contrast.offsets, b.map((z, i) => z - a[i]));
});

Deno.test("pools of impossible sizes are refused", () => {
  assertThrows(() => bestOf({ candidates: 1 }), RangeError, "candidates");
  assertThrows(() => contrastOf({ candidates: 4, top: 3, bottom: 2 }), RangeError, "bottom");
  assertThrows(() => mezoGv({ queries: 4, top: 4 }), RangeError, "top");
  assertThrows(() => mezoGv({ queries: 4, top: 3, bottom: 2 }), RangeError, "bottom");
  const { top, bottom } = mezoGv({ queries: 6, bottom: 2 }).estimator.parameters;
  assertEquals([top, bottom], [1, 2]);
});
