import { assert, assertEquals } from "@std/assert";
import { Graph, moveOffsets, replayMoves, Storage } from "../../../kernels/mod.ts";
import {
  accumulate,
  adam,
  adamw,
  cosine,
  elementOps,
  identity,
  momentum,
  type Optimiser,
  optimiser,
  roundCoefficient,
  signOfElement,
  spsa,
  type UpdateRule,
} from "../../../optim/mod.ts";
import type { Layout } from "../../../quant/mod.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { numbersBy, sampled } from "../../support/sampled.ts";
import { normals, randomPacked } from "../bench.ts";
import { onDevice } from "./element_ops_on_device.ts";
import { type RigTensor, StepRig } from "../step_rig.ts";
import { frozenOffset } from "../../../optim/preparations/frozen.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
let random = randomNumbers(29);

const layouts: Record<string, Layout> = {
  "blk.0.attn_q.weight": { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 },
  "blk.0.attn_k.weight": { kind: "scalar", bits: 4, center: 0, second: "zero", group: 64 },
  "blk.1.ffn_up.weight": { kind: "codebook", books: 1 },
  "blk.0.attn_norm.weight": { kind: "dense", type: "f32" },
};

function tensors(): RigTensor[] {
  return Object.entries(layouts).map(([name, layout], i) => ({
    name,
    packed: randomPacked(layout, layout.kind === "dense" ? 1 : 130 + i, 96, random),
  }));
}

const rate = cosine(0.02, { total: 40, warmup: 3 });
const rules: Record<string, UpdateRule> = {
  momentum: momentum({ learningRate: rate }),
  adam: adam({ learningRate: rate }),
  adamw: adamw({ learningRate: rate, weightDecay: 0.5 }),
  signOfElement: signOfElement({ learningRate: rate }),
};

/** Losses of many sizes, so that no rule lives in one binade. */
const losses = (count: number, step: number) => [...normals(count, random, 10 ** (1 - step % 7))];

Deno.test("products, quotients and roots of update rules have the host's bits", async () => {
  // Nothing that rules meet is subnormal.
  const sizes = [2 ** -126, 2 ** -93, 2 ** -92, 2 ** -91, 1e-8, 0.1, 1, 3, 1e8, 2 ** 90];
  const drawn = normals(6000, random, 1);
  const pairs = [
    ...sizes.flatMap((a) => sizes.map((b) => [a, -b] as const)),
    [0, 1] as const,
    ...Array.from(
      { length: 3000 },
      (_, i) => [drawn[2 * i] * 2 ** (i % 41 - 20), drawn[2 * i + 1] * 2 ** (i % 37 - 18)] as const,
    ),
  ].map(([a, b]) => [Math.fround(a), Math.fround(b)] as const);
  const found = await onDevice(
    gpu,
    "return vec4(product(a, b), product(a, reciprocal(b)), product(abs(a), inverse_root(abs(a))), product(0.3, a) + product(-0.3, a));",
    pairs,
  );
  pairs.forEach(([a, b], i) => {
    const expected = [elementOps.mul(a, b), elementOps.div(a, b), elementOps.sqrt(Math.abs(a)), 0];
    expected.forEach((value, k) => {
      if (k === 1 && Math.abs(b) < 2 ** -92) return;
      assert(
        Object.is(found[4 * i + k], value),
        `${k} of ${a}, ${b}: ${found[4 * i + k]}, ${value}`,
      );
    });
  });
});

const matrix = Object.entries(rules).flatMap(([name, update]) =>
  (["normal", "rademacher"] as const).flatMap((distribution) =>
    (["relative", "absolute"] as const).map((form) => ({ name, update, distribution, form }))
  )
);
for (const { name, update, distribution, form } of sampled("update rules", matrix)) {
  Deno.test(`${name}, ${distribution}, ${form}: offsets and state have the host's bits, in a replay too`, async () => {
    random = numbersBy(name);
    const rule = optimiser({
      name,
      estimator: spsa({ epsilon: 0.5, queries: 2 }),
      distribution,
      form,
      projection: "keep-sign",
      update,
    });
    using rig = new StepRig(gpu, rule, tensors(), 4096);
    assert(rig.offsets.arenas.length > 1);
    for (let step = 0; step < 12; step++) rig.step(step, losses(4, step));
    const records = await rig.records();
    assert(records.every((r) => !r.halted));
    const coefficients = records.map((r) => r.coefficients);
    await rig.assertReplays(coefficients);
    const moved = [...(await rig.offsets.read(gpu)).values()];
    assert(moved.every((w) => w.some((x) => x !== 0)), "a tensor was not moved");
    rig.offsets.write(
      gpu,
      new Map(rig.offsets.trainables.map(({ name, count }) => [
        name,
        new Float32Array(count),
      ])),
    );
    rig.offsets.freeMoments();
    const steps = coefficients.map((list, step) => rig.record(step, list));
    await replayMoves(gpu, rule, rig.offsets, rig.tensors, steps);
    await rig.assertReplays(coefficients);
  });
}

Deno.test("a long replay with an update rule goes over the end of a dispatch", async () => {
  const rule = optimiser({ name: "adam", estimator: spsa(), update: rules.adam });
  using rig = new StepRig(gpu, rule, tensors().slice(0, 1));
  const steps = Array.from(
    { length: 259 },
    (_, step) => rig.record(step, [...normals(1, random, 0.1)].map(roundCoefficient)),
  );
  await replayMoves(gpu, rule, rig.offsets, rig.tensors, steps);
  await rig.assertReplays(steps.map((made) => made.coefficients));
});

const selections: Record<string, Partial<Parameters<typeof optimiser>[0]>> = {
  "a mask": { mask: { density: 0.3, keep: 2 } },
  "whole tensors masked": { mask: { density: 0.5, unit: "tensor" } },
  "directions of a low rank": { lowRank: { rank: 2 } },
  "blocks in turn": { blocks: { by: "part" } },
  "accumulation": { transformations: [accumulate(3, identity())] },
};

for (const [selection, options] of Object.entries(selections)) {
  Deno.test(`momentum and Adam with ${selection} have the host's bits`, async () => {
    for (const update of [rules.momentum, rules.adamw]) {
      const rule = optimiser({ name: "selected", estimator: spsa(), update, ...options });
      using rig = new StepRig(gpu, rule, tensors(), 4096);
      for (let step = 0; step < 9; step++) rig.step(step, losses(2, step));
      const records = await rig.records();
      await rig.assertReplays(records.map((r) => r.coefficients));
    }
  });
}

Deno.test("frozen offsets and their state stay as they are", async () => {
  const rule = optimiser({
    name: "adamw",
    estimator: spsa(),
    magnitude: { density: 0.5 },
    update: rules.adamw,
  });
  using rig = new StepRig(gpu, rule, tensors(), 4096);
  const start = new Map(
    rig.offsets.trainables.map(({ name, count }) => [
      name,
      Float32Array.from({ length: count }, (_, i) => i % 3 === 0 ? frozenOffset : 0),
    ]),
  );
  rig.offsets.write(gpu, start);
  for (let step = 0; step < 4; step++) rig.step(step, losses(2, step));
  const records = await rig.records();
  await rig.assertReplays(records.map((r) => r.coefficients), start);
  for (const values of (await rig.offsets.read(gpu)).values()) {
    assert(values.every((w, i) => (w === frozenOffset) === (i % 3 === 0)));
  }
});

Deno.test("what has no coefficient keeps its momentum: accumulating steps, blocks out of turn", async () => {
  const held = optimiser({
    name: "held",
    estimator: spsa({ epsilon: 0.5 }),
    transformations: [accumulate(2, identity())],
    update: momentum({ learningRate: 1 }),
  });
  using rig = new StepRig(gpu, held, tensors().slice(0, 1));
  const at: Float32Array[] = [];
  for (let step = 0; step < 4; step++) {
    rig.step(step, [2, 1]);
    at.push((await rig.offsets.read(gpu)).get("blk.0.attn_q.weight")!);
  }
  assert(at[0].every((w) => w === 0) && at[1].some((w) => w !== 0));
  assertEquals(at[2], at[1]);
  assert(at[3].some((w, i) => w !== at[2][i]));
});

Deno.test("a derivative of 0 is a gradient of zeros on the device too, in training and in replay", async () => {
  for (const name of ["momentum", "adam", "adamw"]) {
    for (const transformations of [[], [accumulate(2, identity())]]) {
      const options = { estimator: spsa({ epsilon: 0.5 }), transformations, update: rules[name] };
      const rule = optimiser({ name, ...options });
      using rig = new StepRig(gpu, rule, tensors(), 4096);
      const all = [[2, 1], [3, 1], [1, 1], [1, 1], [5, 4], [4, 4], [1, 1], [1, 1]];
      const at: Float32Array[] = [];
      for (const [step, two] of all.entries()) {
        rig.step(step, two);
        at.push((await rig.offsets.read(gpu)).get("blk.0.attn_q.weight")!);
      }
      const coefficients = (await rig.records()).map((record) => record.coefficients);
      await rig.assertReplays(coefficients);
      const { hold } = rule.plan;
      // Steps whose losses are equal move all the same, where they do not only accumulate.
      for (const step of [3, 7]) assert(at[step].some((w, i) => w !== at[step - 1][i]), name);
      assert(at[2].some((w, i) => w !== at[1][i]) === (hold === 1), name);
      rig.offsets.write(
        gpu,
        new Map(rig.offsets.trainables.map((one) => [one.name, new Float32Array(one.count)])),
      );
      rig.offsets.freeMoments();
      await replayMoves(
        gpu,
        rule,
        rig.offsets,
        rig.tensors,
        coefficients.map((list, step) => rig.record(step, list)),
      );
      await rig.assertReplays(coefficients);
    }
  }
});

Deno.test("a rule of an old ledger rests where all coefficients are 0", async () => {
  const update = { ...rules.momentum, restsAtZero: true };
  const rule = optimiser({ name: "old", estimator: spsa({ epsilon: 0.5 }), update });
  using rig = new StepRig(gpu, rule, tensors().slice(0, 1));
  const at: Float32Array[] = [];
  for (const [step, two] of [[2, 1], [1, 1], [2, 1]].entries()) {
    rig.step(step, two);
    at.push((await rig.offsets.read(gpu)).get("blk.0.attn_q.weight")!);
  }
  assertEquals(at[1], at[0]);
  assert(at[2].some((w, i) => w !== at[1][i]));
  await rig.assertReplays((await rig.records()).map((record) => record.coefficients));
});

Deno.test("a halted step leaves offsets and state alone", async () => {
  const rule = optimiser({ name: "adam", estimator: spsa(), update: rules.adam });
  using rig = new StepRig(gpu, rule, tensors(), 4096);
  for (const [step, loss] of [1, 2, NaN, 3].entries()) rig.step(step, [1.5, loss]);
  const records = await rig.records();
  assertEquals(records.map((r) => r.halted), [false, false, true, true]);
  await rig.assertReplays(records.slice(0, 2).map((r) => r.coefficients));
});

Deno.test("one dispatch an arena, whatever the rule; its state is accounted as the optimiser's", () => {
  using rig = new StepRig(gpu, optimiser({ name: "x", estimator: spsa() }), tensors(), 4096);
  const { offsets, tensors: map } = rig;
  const dispatches = (rule: Pick<Optimiser, "law" | "projection" | "update">) => {
    const graph = new Graph();
    const inputs = new Storage("inputs", 16, "scratch");
    const coefficients = new Storage("coefficients", 16, "optimiser");
    moveOffsets(graph, rule, offsets, map, { coefficients, directions: 1, perStep: 1, inputs });
    return graph.dispatches.length;
  };
  const bytes = offsets.arenas.reduce((sum, arena) => sum + arena.bytes, 0);
  for (const update of [undefined, ...Object.values(rules)]) {
    const rule = {
      law: { dense: "normal" },
      projection: "none",
      ...update ? { update } : {},
    } as const;
    assertEquals(dispatches(rule), offsets.arenas.length);
    const kept = offsets.moments(update).flat();
    assertEquals(kept.map(({ part }) => part), kept.map(() => "optimiser"));
    assertEquals(kept.reduce((sum, s) => sum + s.bytes, 0), bytes * (update?.stateSize ?? 0));
  }
});

Deno.test("a replay without the rule's host scalars is refused", async () => {
  const rule = optimiser({ name: "adam", estimator: spsa(), update: rules.adam });
  using rig = new StepRig(gpu, rule, tensors().slice(0, 1));
  const { seeds, coefficients } = rig.record(0, [1]);
  let message = "";
  await replayMoves(gpu, rule, rig.offsets, rig.tensors, [{ seeds, coefficients }])
    .catch((error) => message = error.message);
  assert(message.includes("Cannot replay step 0: 0 host scalars"), message);
});
