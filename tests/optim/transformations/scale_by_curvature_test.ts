/**
 * Steps scaled by curvature: the trace it finds, the step it makes of it, its bounds, and that a learning rate means the same on
 * objectives of other units.
 */
import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import {
  centred,
  fillNoise,
  hostOps,
  masterSeed,
  qzoPlus,
  scaleByCurvature,
  Session,
  stepSeed,
} from "../../../optim/mod.ts";

const size = 40;
const curvatures = Array.from({ length: size }, (_, i) => 3 * 10 ** (-i / 20));
const trace = curvatures.reduce((a, b) => a + b, 0);
const bowl = (w: ArrayLike<number>, unit = 1) =>
  curvatures.reduce((sum, h, j) => sum + unit * h * (w[j] - 1) ** 2 / 2, 0);

/** State and values after steps of a rule at the origin, with directions of their own. */
function atOrigin(steps: number, epsilon: number, queries: number, largest: number) {
  const estimator = centred({ epsilon, queries, base: true });
  const rule = scaleByCurvature({ epsilon, queries, decay: 0.98, largest });
  let state: readonly number[] = rule.init();
  let values: readonly number[] = [];
  let derivatives: readonly number[] = [];
  for (let step = 0; step < steps; step++) {
    const losses = estimator.branches.map(({ direction, amplitude }) => {
      const seed = stepSeed(masterSeed(8), step, direction);
      return bowl(
        fillNoise("normal", seed, 1, 0, new Float32Array(size)).map((z) => amplitude * z),
      );
    });
    derivatives = estimator.derivatives(hostOps, losses);
    ({ values, state } = rule.update(hostOps, derivatives, state, rule.inputs(step), losses));
  }
  return { rule, state, values, derivatives };
}

Deno.test("the running curvature is the trace of the Hessian, within what theory says of its error", () => {
  const [steps, epsilon, queries] = [300, 0.5, 16];
  const { state: [curvature, square], rule } = atOrigin(steps, epsilon, queries, 1e9);
  const [correction, errorFactor] = rule.inputs(steps - 1);
  const slope = Math.sqrt(curvatures.reduce((sum, h) => sum + h * h, 0));
  // Squares of slopes: |g|^2 and a little of the curvature's own spread.
  assertAlmostEquals(Math.sqrt(square * correction), slope, 0.1 * slope);
  const error = slope * errorFactor;
  assert(error < 0.2 * trace, "the test would not see a wrong trace");
  const found = curvature * correction;
  assert(Math.abs(found - trace) < 4 * error, `${found} +- ${error}, not ${trace}`);
});

Deno.test("a step is Q over the trace and its standard error, and never longer than its bound", () => {
  const epsilon = 0.5;
  for (const queries of [4, 16]) {
    const { state: [curvature, square], rule, values, derivatives } = atOrigin(
      60,
      epsilon,
      queries,
      1e9,
    );
    const [correction, errorFactor] = rule.inputs(59);
    const rms = Math.sqrt(square * correction);
    const factor = queries / (Math.max(0, curvature * correction) + rms * errorFactor);
    values.forEach((value, i) => assertAlmostEquals(value / (derivatives[i] * factor), 1, 1e-5));
    const bounded = atOrigin(60, epsilon, queries, 1e-3);
    const bound = 1e-3 * Math.sqrt(queries) / rms;
    bounded.values.forEach((value, i) =>
      assertAlmostEquals(value / (derivatives[i] * bound), 1, 1e-5)
    );
  }
});

Deno.test("where nothing curves, or all curves down, the bound alone holds; without slopes nothing moves", () => {
  const rule = scaleByCurvature({ epsilon: 0.1, queries: 2, largest: 0.2 });
  for (const shared of [0, -5]) {
    const losses = [3, 3 + shared + 0.4, 3 + shared - 0.4];
    // Known after one step to an error of its own size: many steps, until the bound is what limits.
    let state = rule.init();
    let values: readonly number[] = [];
    for (let step = 0; step < 200; step++) {
      ({ values, state } = rule.update(hostOps, [8, -8], state, rule.inputs(step), losses));
    }
    const denominator = 8 * rule.inputs(199)[1];
    const factor = Math.min(2 / denominator, 0.2 * Math.SQRT2 / 8);
    assertAlmostEquals(values[0], 8 * factor, 1e-4);
  }
  const still = rule.update(hostOps, [0, 0], [0, 0], rule.inputs(0), [1, 1, 1]);
  assert(still.values.every((value) => value === 0));
});

Deno.test("one learning rate serves losses of any unit and bowls of any width", () => {
  const left = (unit: number, width: number) => {
    const session = new Session({
      parameters: new Array(size).fill(0),
      optimiser: qzoPlus({ form: "absolute", projection: "none", epsilon: 0.04 * width }),
      seed: 2,
    });
    const loss = (w: ArrayLike<number>) => bowl(Float64Array.from(w, (x) => x / width), unit);
    const parameters = () => Float32Array.from(session.parameters());
    const before = loss(parameters());
    for (let step = 0; step < 60; step++) session.tell(session.ask().map(loss));
    return loss(parameters()) / before;
  };
  const usual = left(1, 1);
  assert(usual < 0.35, `${usual} is left`);
  // The bound is in units of the offset, so only narrower bowls are free of it.
  for (const [unit, width] of [[1e-3, 1], [1e3, 1], [1, 0.5]] as const) {
    const other = left(unit, width);
    assertAlmostEquals(other, usual, 0.1, `unit ${unit}, width ${width}`);
  }
});

Deno.test("arguments out of range, and losses of other branches, are refused", () => {
  const options = { epsilon: 0.1, queries: 2 };
  assertThrows(() => scaleByCurvature({ ...options, epsilon: 0 }), RangeError, "epsilon");
  assertThrows(() => scaleByCurvature({ ...options, queries: 0 }), RangeError, "queries");
  assertThrows(() => scaleByCurvature({ ...options, decay: 1 }), RangeError, "decay");
  assertThrows(() => scaleByCurvature({ ...options, largest: -1 }), RangeError, "largest");
  const rule = scaleByCurvature(options);
  const update = (losses?: readonly number[]) => () =>
    rule.update(hostOps, [1, 2], [0, 0], rule.inputs(0), losses);
  assertThrows(update(), TypeError, "losses along 2 directions");
  assertThrows(update([1, 2]), TypeError, "losses along 2 directions");
});
