/**
 * Which elements and tensors directions have: masks, blocks, the tensors of a session.
 */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  applyRecord,
  type Blocks,
  blockwiseZo,
  masterSeed,
  noiseAt,
  optimiser,
  Session,
  sparseZo,
  spsa,
  stepSeed,
  tensorId,
  zoSgdMomentum,
} from "../../../optim/mod.ts";
import { random } from "../random.ts";
import { placeOfName } from "../../../optim/ledger/old_versions.ts";

Deno.test("masks: the share asked for, the same for so many steps, tensors as a whole", () => {
  const n = 200_000;
  const perturbed = (session: Session) =>
    session.ask()[0].reduce<number[]>((list, x, i) => (x !== 0 && list.push(i), list), []);
  for (const [sparsity, share] of [[0.9, 0.1], [0.25, 0.75]]) {
    const rule = sparseZo({ sparsity, resample: 3, distribution: "rademacher" });
    const session = new Session({ parameters: new Float32Array(n), optimiser: rule, seed: 3 });
    const steps = Array.from({ length: 6 }, () => {
      const found = perturbed(session);
      session.tell([1, 1]);
      return found;
    });
    const error = 4.5 * Math.sqrt(share * (1 - share) / n);
    for (const step of [0, 3]) assertAlmostEquals(steps[step].length / n, share, error);
    assertEquals([steps[1], steps[2], steps[4]], [steps[0], steps[0], steps[3]]);
    const first = new Set(steps[0]);
    const both = steps[3].filter((i) => first.has(i)).length / n;
    assertAlmostEquals(both, share ** 2, 4.5 * Math.sqrt(share ** 2 / n), "masks hang together");
  }
  const rule = sparseZo({ sparsity: 0.7, resample: 1, unit: "tensor" });
  const whole = Array.from({ length: 400 }, (_, id) => {
    const session = new Session({
      parameters: new Float32Array(64),
      optimiser: rule,
      tensorId: id,
    });
    return perturbed(session).length;
  });
  assert(whole.every((count) => count === 0 || count > 32));
  const share = whole.filter((count) => count > 0).length / 400;
  assertAlmostEquals(share, 0.3, 4.5 * Math.sqrt(0.3 * 0.7 / 400));
});

Deno.test("a global budget: tensors keep their share of the largest values, other elements every so many steps", () => {
  const next = random(15);
  const parameters = Float32Array.from(
    { length: 40_000 },
    (_, i) => (next() - 0.5) * (i < 20_000 ? 1 : 3),
  );
  const tensors = [{ name: "a", count: 20_000 }, { name: "b", count: 20_000 }];
  const sizes = [...parameters.map(Math.abs)].sort((a, b) => b - a);
  const share = (from: number) =>
    parameters.slice(from, from + 20_000).filter((x) => Math.abs(x) >= sizes[9_999]).length /
    20_000;
  const optimiser = sparseZo({
    sparsity: 0.75,
    resample: 2,
    budget: "global",
    distribution: "rademacher",
  });
  assertEquals(optimiser.plan.mask?.budget, "global");
  const session = new Session({ parameters, tensors, optimiser });
  const steps = Array.from({ length: 4 }, () => {
    const [plus] = session.ask();
    session.tell([1, 1]);
    return [0, 20_000].map((from) =>
      plus.slice(from, from + 20_000).reduce<number[]>(
        (list, x, i) => (x !== parameters[from + i] && list.push(i), list),
        [],
      )
    );
  });
  [0, 20_000].forEach((from, t) => {
    const expected = share(from);
    const error = 4.5 * Math.sqrt(expected * (1 - expected) / 20_000) + 1e-9;
    for (const step of [0, 2]) assertAlmostEquals(steps[step][t].length / 20_000, expected, error);
    assertEquals(steps[1][t], steps[0][t]);
  });
  // Uniform sizes up to 0.5 and 1.5: a quarter of all lies above 3/4, and none of the first tensor.
  assertEquals(steps[0][0], []);
  assertAlmostEquals(share(20_000), 0.5, 0.02);
  const first = new Set(steps[0][1]);
  const both = steps[2][1].filter((i) => first.has(i)).length / 20_000;
  assertAlmostEquals(
    both,
    0.25,
    4.5 * Math.sqrt(0.25 * 0.75 / 20_000) + 0.02,
    "masks hang together",
  );
});

Deno.test("a mask of density 1 leaves the direction as a seed gives it", () => {
  const rule = sparseZo({ sparsity: 0 });
  const [point] = new Session({ parameters: new Float32Array(999), optimiser: rule }).ask();
  assert(point.filter((x) => x === 0).length < 999 * 0.3, "normal z is 0 for a fifth");
});

/** Named tensors of four layers, with what belongs to none before and after. */
const named = [
  "token_embd.weight",
  ...[0, 1, 2, 3].flatMap((layer) => [`blk.${layer}.attn_q.weight`, `blk.${layer}.ffn_up.weight`]),
  "output_norm.weight",
].map((name) => ({ name, count: 8, ...placeOfName(name) }));

/** Which tensors each step perturbs, and asserts that those are the ones that move. */
function turns(blocks: Blocks, steps: number): number[][] {
  const rule = blockwiseZo({ blocks, distribution: "rademacher", learningRate: 1e-3 });
  const parameters = new Float32Array(80);
  const session = new Session({ parameters, tensors: named, optimiser: rule, seed: 2 });
  return Array.from({ length: steps }, () => {
    const touched = (values: Float32Array) =>
      named.flatMap((_, i) => values.slice(8 * i, 8 * i + 8).every((x) => x === 0) ? [] : [i]);
    const before = session.offsets.slice();
    const looked = touched(session.ask()[0].map((x, i) => x - before[i]));
    session.tell([1, 2]);
    assertEquals(touched(session.offsets.map((w, i) => w - before[i])), looked);
    return looked;
  });
}

Deno.test("blocks have their turns, one after the other or at random, and the rest has none", () => {
  const layers = [[1, 2], [3, 4], [5, 6], [7, 8]];
  assertEquals(turns({ by: "layer", count: 4 }, 5), [...layers, layers[0]]);
  assertEquals(turns({ by: "layer", count: 2, keep: 2 }, 5), [0, 0, 1, 1, 0].map((i) => layers[i]));
  assertEquals(turns({ by: "part" }, 3), [[1, 3, 5, 7], [2, 4, 6, 8], [1, 3, 5, 7]]);
  assertEquals(turns({ by: "tensor", count: 10 }, 10), named.map((_, i) => [i]));
  const random = turns({ by: "tensor", count: 10, order: "random" }, 400).map(([i]) => i);
  const error = 4.5 * Math.sqrt(0.1 * 0.9 / 400);
  named.forEach((_, i) => {
    const share = random.filter((turn) => turn === i).length / 400;
    assertAlmostEquals(share, 0.1, error, `tensor ${i}`);
  });
});

Deno.test("all blocks in a step: each is looked along by itself, and all move after that by their own derivatives", () => {
  const rule = blockwiseZo({
    blocks: { by: "layer", count: 4, order: "all" },
    queries: 2,
    epsilon: 0.5,
    learningRate: 1,
    distribution: "rademacher",
  });
  assertEquals([rule.estimator.directions, rule.estimator.branches.length], [8, 16]);
  const session = new Session({
    parameters: new Float32Array(80),
    tensors: named,
    optimiser: rule,
  });
  const points = session.ask();
  const touched = (x: Float32Array) =>
    named.flatMap((_, i) => x.slice(8 * i, 8 * i + 8).every((value) => value === 0) ? [] : [i]);
  const layers = [[1, 2], [3, 4], [5, 6], [7, 8]];
  assertEquals(points.filter((_, b) => b % 2 === 0).map(touched), [...layers, ...layers]);
  // Block q has the slope q + 1 in the first query, and none in the second.
  session.tell(points.map((_, b) => b < 8 && b % 2 === 0 ? Math.floor(b / 2) + 1 : 0));
  layers.flat().forEach((tensor) => {
    const block = Math.floor((tensor - 1) / 2);
    const found = session.offsets.slice(8 * tensor, 8 * tensor + 8);
    const z = points[2 * block].slice(8 * tensor, 8 * tensor + 8).map((x) => x / 0.5);
    // Half of the derivative: the mean of two queries.
    assertEquals(found, z.map((value) => -value * (block + 1) / 2));
  });
  assertEquals(touched(session.offsets), layers.flat());
  const blocks = { by: "layer", count: 4, order: "all" } as const;
  assertThrows(
    () => optimiser({ name: "few", estimator: spsa({ queries: 6 }), blocks }),
    RangeError,
    "4 blocks",
  );
});

Deno.test("tensors of a session: noise by name, and named ones where they move in turns", () => {
  const options = { parameters: [0, 0, 0], optimiser: zoSgdMomentum() };
  const tensors = [{ name: "a", count: 1 }, { name: "b", count: 2 }];
  const [point] = new Session({ ...options, tensors, seed: 1 }).ask();
  const z = ["a", "b"].map((name) =>
    noiseAt("normal", stepSeed(masterSeed(1), 0, 0), tensorId(name), 0)
  );
  assertEquals([point[0], point[1]], z.map((value) => Math.fround(Math.fround(1e-3) * value)));
  assertThrows(
    () => new Session({ ...options, tensors: tensors.slice(1) }),
    TypeError,
    "2 elements",
  );
  assertThrows(
    () => new Session({ ...options, optimiser: blockwiseZo() }),
    TypeError,
    "no tensors are given",
  );
  assertThrows(
    () => new Session({ ...options, tensors, optimiser: blockwiseZo() }),
    TypeError,
    "none of them has a part",
  );
  const rule = blockwiseZo();
  const record = { seeds: [stepSeed(masterSeed(1), 0, 0)], coefficients: [1] };
  assertThrows(
    () => applyRecord(rule, record, { id: 1, offsets: new Float32Array(4) }),
    TypeError,
    "place",
  );
});
