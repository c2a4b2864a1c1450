/**
 * Derivatives around a remembered baseline: the first step is the leave-one-out estimate, later ones are unbiased with the variance
 * that theory gives, below that of the leave-one-out estimate.
 */
import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { centreByRunningMean, centred, hostOps, oneSided } from "../../../optim/mod.ts";
import { estimateError } from "../estimate_error.ts";
import { random } from "../random.ts";
import type { Sample } from "../sample.ts";

const kurtosis = 2.875;

Deno.test("the first step is that of the leave-one-out baseline", () => {
  const losses = [3, 1, 2, 4, 8];
  const own = centred({ epsilon: 0.25, queries: 4, base: true }).derivatives(hostOps, losses);
  const rule = centreByRunningMean({ queries: 4 });
  const oneSidedOnes = oneSided({ epsilon: 0.25, queries: 4 }).derivatives(hostOps, losses);
  const { values } = rule.update(hostOps, oneSidedOnes, rule.init(), rule.inputs(0));
  values.forEach((value, q) => assertAlmostEquals(value, own[q], 1e-4));
});

Deno.test("no bias, and (n + kurtosis - 2) / N plus what a mean of 39 steps leaves, below the leave-one-out baseline's", () => {
  const next = random(5);
  for (const [n, queries] of [[4, 2], [16, 4]] as const) {
    const gradient = Float64Array.from({ length: n }, () => next() - 0.4);
    const rule = centreByRunningMean({ queries });
    let state: readonly number[] = rule.init();
    const { along, error } = estimateError(
      { gradient, queries, trials: 12000, before: 200 },
      (slopes, step) => {
        // What curvature adds to all alike: ten times the slopes.
        const shifted = slopes.map((slope) => slope + 10);
        const update = rule.update(hostOps, shifted, state, rule.inputs(step));
        state = update.state;
        return update.values;
      },
    );
    // Steps share a baseline, so they are not quite independent: half as much again.
    const more = (sample: Sample) => 0.5 * 4.5 * sample.error;
    along.assertMean(1, `mean along the gradient at n ${n}, N ${queries}`, more(along));
    const w = 0.05;
    const own = w / queries / (1 - w / queries);
    const remembered = ((1 - w) / (1 - w / queries)) ** 2 * w / (2 - w) / queries;
    const variance = (n + kurtosis - 2) / queries + own ** 2 * (queries - 1) * (n + 1) / queries +
      remembered * n / queries;
    error.assertMean(variance, `variance at n ${n}, N ${queries}`, more(error));
    const leaveOneOut = (n + kurtosis - 2) / queries + (n + 1) / (queries * (queries - 1));
    assert(
      error.mean + 4.5 * error.error < leaveOneOut,
      "not below the leave-one-out baseline",
    );
  }
});

Deno.test("arguments out of range, and derivatives of other directions, are refused", () => {
  assertThrows(() => centreByRunningMean({ queries: 1 }), RangeError, "queries");
  assertThrows(() => centreByRunningMean({ queries: 4, decay: 1 }), RangeError, "decay");
  assertThrows(() => centreByRunningMean({ queries: 4, decay: NaN }), RangeError, "decay");
  const rule = centreByRunningMean({ queries: 4 });
  assertThrows(
    () => rule.update(hostOps, [1, 2], [0], rule.inputs(0)),
    TypeError,
    "made for 4 directions",
  );
});
