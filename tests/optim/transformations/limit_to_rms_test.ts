/**
 * The limit of a step's length: its formula, that usual and short steps pass, that a far one is cut whole, and what it refuses.
 */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { hostOps, limitToRms } from "../../../optim/mod.ts";

Deno.test("limitToRms follows its formula step by step", () => {
  const decay = 0.8;
  const rule = limitToRms({ decay });
  const steps = [[1, -2, 3], [10, 0, -10], [0.1, 0.2, 0.1], [4, 4, 4], [0, 0, 0], [1, 1, 1]];
  let state: readonly number[] = rule.init();
  let moment = 0;
  for (const [step, given] of steps.entries()) {
    const square = given.reduce((sum, d) => sum + d * d, 0) / given.length;
    moment = decay * moment + (1 - decay) * square;
    const allowed = Math.sqrt(moment / (1 - decay ** (step + 1)) / square);
    const factor = square === 0 ? 1 : Math.min(1, allowed);
    const { values, state: next } = rule.update(hostOps, given, state, rule.inputs(step));
    values.forEach((value, i) => assertAlmostEquals(value, given[i] * factor, 1e-5));
    state = next;
  }
});

Deno.test("limitToRms leaves the first step, equal ones and shorter ones, and cuts a far one in the same direction", () => {
  const rule = limitToRms();
  let state: readonly number[] = rule.init();
  for (let step = 0; step < 100; step++) {
    const { values, state: next } = rule.update(hostOps, [3, -4], state, rule.inputs(step));
    assertAlmostEquals(values[0], 3, 1e-4);
    assertAlmostEquals(values[1], -4, 1e-4);
    state = next;
  }
  const short = rule.update(hostOps, [0.3, 0.1], state, rule.inputs(100)).values;
  assertEquals(short.map((value) => Math.fround(value)), [0.3, 0.1].map(Math.fround));
  // It is part of the moment: the root of 0.05 of a far step stays.
  for (const far of [1e3, 1e9, 1e15]) {
    const [a, b] = rule.update(hostOps, [3 * far, -4 * far], state, rule.inputs(100)).values;
    assertAlmostEquals(Math.hypot(a, b) / 5 / far, Math.sqrt(0.05), 1e-3);
    assertAlmostEquals(a / b, -0.75, 1e-5);
  }
});

Deno.test("limitToRms refuses a decay out of range", () => {
  for (const decay of [1, -0.1, NaN]) {
    assertThrows(() => limitToRms({ decay }), RangeError, "decay");
  }
});
