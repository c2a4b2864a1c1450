import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  directionSeed,
  hostSide,
  kernelSmoothed,
  kerzoo,
  masterSeed,
  optimiser,
  scalarStep,
  scaleBySchedule,
  Session,
  spsa,
  stepSeed,
} from "../../../optim/mod.ts";
import { Sample } from "../sample.ts";

const radius = (order: number, step: number) =>
  kernelSmoothed(spsa(), order).radius!(stepSeed(masterSeed(2), step, 0));

Deno.test("radii are uniform from -1 to 1 and never 0", () => {
  const moments = [1, 2, 3, 4].map(() => new Sample());
  for (let step = 0; step < 20000; step++) {
    const { factor } = radius(2, step);
    assert(factor !== 0 && Math.abs(factor) < 1);
    moments.forEach((sample, i) => sample.add(factor ** (i + 1)));
  }
  moments.forEach((sample, i) =>
    sample.assertMean(i % 2 === 1 ? 1 / (i + 2) : 0, `moment ${i + 1}`)
  );
});

Deno.test("kernels have the moments of their order: 1 for the first, 0 for the others below it", () => {
  for (const order of [2, 4, 6]) {
    const moments = [0, 1, 2, 3, 4, 5].map(() => new Sample());
    let [square, count] = [0, 0];
    for (let step = 0; step < 30000; step++) {
      const { factor, weight } = radius(order, step);
      moments.forEach((sample, j) => sample.add(weight * factor ** j));
      square += (weight * factor) ** 2;
      count++;
    }
    moments.slice(0, order).forEach((sample, j) =>
      sample.assertMean(j === 1 ? 1 : 0, `moment ${j}`)
    );
    const variance = { 2: 0.8, 4: 5.25, 6: 12.25 }[order]!;
    assertAlmostEquals((square / count - 1) / variance, 1, 0.1);
  }
});

Deno.test("on a cubic the bias is eps^2, three fifths of it, and none", () => {
  // L(x) = x + x^3 at 0 in one dimension of signs: the slope is 1, the two-sided difference 1 + eps^2 r^2.
  const epsilon = 0.8;
  const loss = (x: number) => x + x ** 3;
  for (const [order, bias] of [[0, epsilon ** 2], [2, 0.6 * epsilon ** 2], [4, 0], [6, 0]]) {
    const estimator = order === 0 ? spsa({ epsilon }) : kernelSmoothed(spsa({ epsilon }), order);
    const rule = optimiser({
      name: "cubic",
      estimator,
      transformations: [scaleBySchedule(1)],
      distribution: "rademacher",
    });
    const estimate = new Sample();
    for (let step = 0; step < 20000; step++) {
      const { looks, scalars } = hostSide(rule, masterSeed(3), step);
      const losses = looks.map(({ amplitude }) => loss(amplitude));
      estimate.add(-scalarStep(rule, losses, [], scalars).coefficients[0]);
    }
    estimate.assertMean(1 + bias, `order ${order}`, 1e-4);
  }
});

Deno.test("a session looks as far as the seed says, and weighs what it sees", () => {
  const rule = kerzoo({ epsilon: 0.5, learningRate: 1, distribution: "rademacher", queries: 2 });
  const session = new Session({ parameters: [0, 0, 0], optimiser: rule, seed: 4 });
  for (let step = 0; step < 5; step++) {
    const points = session.ask().map((x) => Math.fround(Math.abs(x[0] - session.offsets[0])));
    const { derivatives, coefficients } = session.tell([1, 0, 0, 1]);
    [0, 1].forEach((q) => {
      const { factor, weight } = rule.estimator.radius!(directionSeed(rule.plan, 4, step, q));
      for (const side of [0, 1]) {
        assertAlmostEquals(points[2 * q + side], Math.abs(0.5 * factor), 1e-6);
      }
      const derivative = (q === 0 ? 1 : -1) * weight;
      assertAlmostEquals(derivatives[q], derivative, 1e-5);
      assertAlmostEquals(coefficients[q], -derivative / 2, 1e-4);
    });
  }
  assertEquals(
    rule.describe(),
    kerzoo({ epsilon: 0.5, learningRate: 1, distribution: "rademacher", queries: 2 }).describe(),
  );
  assertThrows(() => kerzoo({ smoothness: 3 }), RangeError, "order 3");
});
