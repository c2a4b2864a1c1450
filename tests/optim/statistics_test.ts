/**
 * Estimates against theory on quadratics, where a two-sided difference is exact: what differs is the sample alone. Intervals are
 * 4.5 standard errors, measured from the same sample.
 *
 * @module
 */
import { assert, assertAlmostEquals } from "@std/assert";
import {
  batchPerDirection,
  centred,
  clipDerivative,
  type Distribution,
  fillNoise,
  hostOps,
  masterSeed,
  oneSided,
  type Ops,
  optimiser,
  scaleBySchedule,
  Session,
  spsa,
  stepSeed,
} from "../../optim/mod.ts";
import { random } from "./random.ts";
import { Sample } from "./sample.ts";

/** Plain f64 arithmetic, so that the statistics are not those of rounding. */
const f64: Ops<number> = {
  ...hostOps,
  constant: (x) => x,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
};

const kurtosis: Record<"normal" | "rademacher", number> = { normal: 2.875, rademacher: 1 };
const laws = ["normal", "rademacher"] as const;

function gradientOf(n: number): number[] {
  const next = random(n);
  return Array.from({ length: n }, () => 2 * next() - 0.5);
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

let step = 0;
/** A fresh direction. */
function direction(law: Distribution, n: number): Float32Array {
  return fillNoise(law, stepSeed(masterSeed(77), step++, 0), 5, 0, new Float32Array(n));
}

for (const law of laws) {
  for (const n of [2, 8, 32]) {
    for (const q of [1, 4, 16]) {
      Deno.test(`${law}, ${n} dimensions, ${q} queries: no bias, variance (n + kurtosis - 2) |g|^2 / q`, () => {
        const g = gradientOf(n);
        const square = dot(g, g);
        const error = new Sample();
        const along = new Sample();
        for (let trial = 0; trial < 12000 / q; trial++) {
          const estimate = new Float64Array(n);
          for (let i = 0; i < q; i++) {
            const z = direction(law, n);
            const d = dot(g, z);
            for (let j = 0; j < n; j++) estimate[j] += d * z[j] / q;
          }
          along.add(dot(estimate, g) / square);
          error.add(estimate.reduce((sum, x, j) => sum + (x - g[j]) ** 2, 0) / square);
        }
        along.assertMean(1, "mean along the gradient");
        error.assertMean((n + kurtosis[law] - 2) / q, "variance", 1e-9);
      });
    }
  }
}

for (const q of [2, 4, 16]) {
  Deno.test(`${q} centred branches: no bias, variance of q queries and (n + 1) |g|^2 / (q (q - 1)) more`, () => {
    const n = 8;
    const g = gradientOf(n);
    const square = dot(g, g);
    const estimator = centred({ epsilon: 0.5, queries: q });
    const error = new Sample();
    const along = new Sample();
    for (let trial = 0; trial < 24000 / q; trial++) {
      const z = Array.from({ length: q }, () => direction("normal", n));
      // Around a loss that all branches share.
      const d = estimator.derivatives(f64, z.map((one) => 7 + 0.5 * dot(g, one)));
      const estimate = g.map((_, j) => z.reduce((sum, one, i) => sum + d[i] * one[j] / q, 0));
      along.add(dot(estimate, g) / square);
      error.add(estimate.reduce((sum, x, j) => sum + (x - g[j]) ** 2, 0) / square);
    }
    along.assertMean(1, "mean along the gradient");
    const expected = (n + kurtosis.normal - 2) / q + (n + 1) / (q * (q - 1));
    error.assertMean(expected, "variance");
  });
}

for (const q of [2, 4]) {
  Deno.test(`noise of the batches with ${q} queries: a batch for each leaves 1 / ${q} of it, one for all only that of the directions`, () => {
    const n = 2;
    const epsilon = 0.5;
    const next = random(40 + q);
    const rate = scaleBySchedule(1);
    const shared = { name: "noisy", distribution: "rademacher" } as const;
    const rules = {
      one: optimiser({
        ...shared,
        estimator: spsa({ epsilon, queries: q }),
        transformations: [rate],
      }),
      each: optimiser({
        ...shared,
        estimator: spsa({ epsilon }),
        transformations: [batchPerDirection(q, rate)],
      }),
    };
    // Batches whose gradients are 0 in the mean, of variance 1 in each element.
    const batch = () => Array.from({ length: n }, () => Math.sqrt(12) * (next() - 0.5));
    for (const [which, rule] of Object.entries(rules)) {
      const square = new Sample();
      for (let trial = 0; trial < 6000; trial++) {
        const session = new Session({ parameters: [0, 0], optimiser: rule, seed: trial });
        while (session.step < (which === "one" ? 1 : q)) {
          const g = batch();
          session.tell(session.ask().map((x) => dot(g, x)));
        }
        square.add(dot(session.offsets, session.offsets));
      }
      // |g|^2 (1 + (n - 1) / q) where directions share g, |g|^2 n / q where they do not.
      square.assertMean(which === "one" ? n * (1 + (n - 1) / q) : n * n / q, which);
    }
  });
}

/** The error function, by its series and enough terms for arguments below 3. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; k < 60; k++) {
    term *= -x * x / k;
    sum += term / (2 * k + 1);
  }
  return 2 / Math.sqrt(Math.PI) * sum;
}

Deno.test("clipping shrinks the estimate by the share that is not clipped (Stein), and never less", () => {
  const n = 64;
  const g = gradientOf(n);
  const size = Math.sqrt(dot(g, g));
  for (const ratio of [0.25, 0.5, 1, 2]) {
    const rule = clipDerivative(ratio * size);
    const along = new Sample();
    for (let trial = 0; trial < 15000; trial++) {
      const z = direction("normal", n);
      const d = dot(g, z);
      const [clipped] = rule.update(hostOps, [d], [], []).values;
      along.add(clipped * d / size ** 2);
    }
    // In 64 dimensions the derivative is normal but for a kurtosis of 3 - 0.125 sum(g^4) / |g|^4.
    along.assertMean(erf(ratio / Math.SQRT2), `clip at ${ratio} deviations`, 2e-3);
    const unbiased = (1 - along.mean) / along.error;
    assert(ratio === 2 || unbiased > 20, `at ${ratio} deviations the bias is not seen`);
  }
});

Deno.test("clipping turns the estimate too: whether it clips depends on the direction", () => {
  // g = (3, 1), clip at 3, signs: d is 4 or 2 in size, so the mean is ((3 + 2) / 2, (3 - 2) / 2).
  const rule = clipDerivative(3);
  const mean = [new Sample(), new Sample()];
  for (let trial = 0; trial < 20000; trial++) {
    const z = direction("rademacher", 2);
    const [d] = rule.update(hostOps, [dot([3, 1], z)], [], []).values;
    mean.forEach((sample, i) => sample.add(d * z[i]));
  }
  mean[0].assertMean(2.5, "first element");
  mean[1].assertMean(0.5, "second element");
});

Deno.test("a one-sided estimate has no bias on a quadratic, and a variance that epsilon adds to", () => {
  // d = g z + (epsilon / 2) z H z with H = c I: z odd in the first term, even in the second.
  const n = 8;
  const c = 4;
  const g = gradientOf(n);
  const square = dot(g, g);
  for (const epsilon of [0.01, 1]) {
    const estimator = oneSided({ epsilon });
    const along = new Sample();
    const excess = new Sample();
    for (let trial = 0; trial < 20000; trial++) {
      const z = direction("rademacher", n);
      const [d] = estimator.derivatives(f64, [0, epsilon * dot(g, z) + epsilon ** 2 * c * n / 2]);
      along.add(d * dot(z, g) / square);
      excess.add((d * d - dot(g, z) ** 2) * n);
    }
    along.assertMean(1, "mean");
    excess.assertMean((epsilon * c * n / 2) ** 2 * n, `excess at epsilon ${epsilon}`, 1e-9);
  }
});

Deno.test("losses in f32: the error of a derivative is ulp / (epsilon sqrt 24), whatever the model", () => {
  // Losses near 5 have an ulp of 2^-21; two roundings, uniform each, over 2 epsilon.
  const ulp = 2 ** -21;
  const next = random(12);
  for (const epsilon of [1e-4, 1e-3, 1e-2]) {
    const estimator = spsa({ epsilon });
    const squared = new Sample();
    for (let trial = 0; trial < 20000; trial++) {
      const slope = 2 * next() - 1;
      const base = 4.5 + next();
      const losses = [base + epsilon * slope, base - epsilon * slope];
      const [d] = estimator.derivatives(f64, losses.map(Math.fround));
      squared.add((d - slope) ** 2);
    }
    const expected = ulp ** 2 / 24 / epsilon ** 2;
    assertAlmostEquals(squared.mean / expected, 1, 4.5 * squared.error / expected + 0.02);
  }
});

Deno.test("epsilon in f32: rounding below the best, curvature's change above it, and the sum of both at every one", () => {
  // f(x) = level + slope x + third x^3 / 6: two-sided it is slope + epsilon^2 third / 6, in f32 with ulp / (epsilon sqrt 24) more.
  const ulp = 2 ** -21;
  const third = 3;
  const next = random(13);
  const squares = (epsilon: number) =>
    (epsilon ** 2 * third / 6) ** 2 + ulp ** 2 / 24 / epsilon ** 2;
  // Where the derivative of that sum is 0.
  const best = (ulp ** 2 / 24 / 2 * 36 / third ** 2) ** (1 / 6);
  const found = [best / 8, best / 2, best, 2 * best, 8 * best].map((epsilon) => {
    const estimator = spsa({ epsilon });
    const squared = new Sample();
    for (let trial = 0; trial < 20000; trial++) {
      const slope = 2 * next() - 1;
      const base = 4.5 + next();
      const at = (x: number) => Math.fround(base + slope * x + third * x ** 3 / 6);
      const [d] = estimator.derivatives(f64, [at(epsilon), at(-epsilon)]);
      squared.add((d - slope) ** 2);
    }
    squared.assertMean(squares(epsilon), `epsilon ${epsilon}`, 0.02 * squares(epsilon));
    return squared.mean;
  });
  assert(found.every((mean) => mean >= found[2]), `least at another epsilon: ${found}`);
  assert(found[0] > 10 * found[2] && found[4] > 10 * found[2]);
});

Deno.test("a masked direction estimates the masked gradient: its mean is density times the gradient", () => {
  const n = 16;
  const g = gradientOf(n);
  const density = 0.25;
  const mean = g.map(() => new Sample());
  const word = (Math.round(density * 65536) - 1) << 16;
  for (let trial = 0; trial < 20000; trial++) {
    const [low] = stepSeed(masterSeed(5), trial, 0);
    const seed = [low, (word | (trial & 0x7fff)) >>> 0] as const;
    const z = fillNoise({ dense: "normal", structure: "mask" }, seed, 9, 0, new Float32Array(n));
    const d = dot(g, z);
    mean.forEach((sample, i) => sample.add(d * z[i]));
  }
  mean.forEach((sample, i) => sample.assertMean(density * g[i], `element ${i}`));
});
