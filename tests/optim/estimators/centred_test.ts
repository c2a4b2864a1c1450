/**
 * The estimate around its own branches' mean: unbiased on linear losses, with the variance that theory gives, and blind to what
 * all branches share. And the composition that is built on it.
 */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { centred, hostOps, qzoPlus, Session } from "../../../optim/mod.ts";
import { estimateError } from "../estimate_error.ts";
import { random } from "../random.ts";

const kurtosis = 2.875;

Deno.test("centred: no bias, variance ((n + kurtosis - 2) / N + (n + 1) / (N (N - 1))) |g|^2", () => {
  const next = random(5);
  for (const [n, queries] of [[4, 2], [16, 4], [16, 16]] as const) {
    const gradient = Float64Array.from({ length: n }, () => next() - 0.4);
    const estimator = centred({ epsilon: 1, queries });
    const { along, error } = estimateError(
      { gradient, queries, trials: 24000 / queries },
      (slopes) => estimator.derivatives(hostOps, slopes.map((slope) => 100 + slope)),
    );
    // f32 rounding of losses near 100, beside the standard errors.
    along.assertMean(1, `mean along the gradient at n ${n}, N ${queries}`, 1e-4);
    const variance = (n + kurtosis - 2) / queries + (n + 1) / (queries * (queries - 1));
    error.assertMean(variance, `variance at n ${n}, N ${queries}`, 1e-4);
  }
});

Deno.test("centred: what every branch shares has no derivative, and derivatives sum to nothing", () => {
  const estimator = centred({ epsilon: 0.25, queries: 4 });
  assertEquals(estimator.derivatives(hostOps, [7, 7, 7, 7]), [0, 0, 0, 0]);
  const derivatives = estimator.derivatives(hostOps, [1, 2, 4, 8]);
  assertAlmostEquals(derivatives.reduce((a, b) => a + b, 0), 0, 1e-5);
  assertThrows(() => centred({ queries: 1 }), RangeError, "queries");
  assertThrows(() => centred({ epsilon: 0 }), RangeError, "epsilon");
});

Deno.test("qzoPlus comes down an ill-conditioned quadratic with its defaults", () => {
  const curvatures = Array.from({ length: 12 }, (_, i) => 10 ** (-i / 6));
  const loss = (w: Float32Array) => w.reduce((sum, x, j) => sum + curvatures[j] * (x - 1) ** 2, 0);
  const session = new Session({
    parameters: new Array(12).fill(2),
    optimiser: qzoPlus({ form: "absolute" }),
    seed: 4,
  });
  const before = loss(Float32Array.from(session.parameters()));
  for (let step = 0; step < 400; step++) {
    session.tell(session.ask().map((w) => loss(Float32Array.from(w))));
  }
  const after = loss(Float32Array.from(session.parameters()));
  assert(after < 0.05 * before, `${after} of ${before} is left`);
});
