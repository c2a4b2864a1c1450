/** qzoPlus where losses say nothing but noise: how far a step and a run go, and what its learning rate does. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  linear,
  qzoPlus,
  type QzoPlusOptions,
  scaleByCurvature,
  Session,
} from "../../../optim/mod.ts";
import { random } from "../random.ts";

const size = 64;

/** A flat place seen through batches: each step has a slope of its own, and they have no direction in common. */
function inNoise(options: QzoPlusOptions, { steps = 88, far = 0 } = {}) {
  const optimiser = qzoPlus({ form: "absolute", projection: "none", ...options });
  const session = new Session({ parameters: new Float32Array(size), optimiser, seed: 3 });
  const next = random(8);
  const lengths: number[] = [];
  for (let step = 0; step < steps; step++) {
    // One batch in twenty is far steeper than others.
    const steep = far > 0 && step % 20 === 19 ? far : 1;
    const slope = Array.from({ length: size }, () => steep * (next() - 0.5));
    const losses = session.ask().map((w) => 0.7 + w.reduce((sum, x, j) => sum + slope[j] * x, 0));
    const { coefficients } = session.tell(losses);
    lengths.push(Math.sqrt(coefficients.reduce((sum, c) => sum + c * c, 0)));
  }
  const distance = Math.sqrt(session.offsets.reduce((sum, x) => sum + x * x, 0) / size);
  return { lengths, distance };
}

Deno.test("qzoPlus: steps are twice as long as its branches look, whatever noise says", () => {
  for (const options of [{}, { epsilon: 0.01 }, { queries: 4 }, { epsilon: 0.2, queries: 16 }]) {
    const { epsilon = 0.04 } = options as { epsilon?: number };
    for (const far of [0, 10, 1e6]) {
      const { lengths } = inNoise(options, { far });
      // The bound is four times epsilon before the learning rate of 0.5. A far step has a part w in the two sizes that limit it: its square becomes 1 / w, and (1 - w) v + w / w at last, about 2 where the v of
      // steps before it is about 1.
      const longest = Math.max(...lengths);
      assert(
        longest <= 1.5 * 2 * epsilon,
        `${longest} with ${JSON.stringify(options)}, far ${far}`,
      );
      assert(longest > 0.5 * 2 * epsilon, `${longest}: the test would not see a longer one`);
    }
  }
});

Deno.test("qzoPlus: batches without a common slope lead nowhere", () => {
  const steps = 88;
  const { distance } = inNoise({ steps }, { steps });
  // A random walk of steps that fall from twice epsilon to 0.
  assert(distance < 1.3 * 2 * 0.04 * Math.sqrt(steps / 3), `${distance}`);
  // What it was before it was bounded so: several times as far.
  const before = inNoise({ largest: 0.5 }, { steps }).distance;
  assert(before > 2.5 * distance, `${before} and ${distance}`);
});

Deno.test("qzoPlus: the rate falls over the steps of a run; a schedule of one's own stays", () => {
  assertEquals(
    qzoPlus({ steps: 40 }).describe(),
    qzoPlus({ learningRate: linear(0.5, { total: 40 }) }).describe(),
  );
  assertEquals(
    qzoPlus({ steps: 40, learningRate: 0.2 }).describe(),
    qzoPlus({ learningRate: linear(0.2, { total: 40 }) }).describe(),
  );
  const own = linear(0.3, { total: 7 });
  assertEquals(
    qzoPlus({ steps: 40, learningRate: own }).describe(),
    qzoPlus({ learningRate: own }).describe(),
  );
  const { lengths } = inNoise({ steps: 60 }, { steps: 60 });
  assertAlmostEquals(lengths[59] / lengths[10], 1 / 50, 0.02);
  assertThrows(() => qzoPlus({ steps: 0 }), RangeError, "steps must be");
});

Deno.test("scaleByCurvature: its bound is twice epsilon where none is given", () => {
  for (const epsilon of [0.01, 0.3]) {
    const { largest } = scaleByCurvature({ epsilon, queries: 2 }).parameters;
    assertEquals(largest, 2 * epsilon);
  }
});
