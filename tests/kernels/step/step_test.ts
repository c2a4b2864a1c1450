import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  assertTrainables,
  basesOf,
  DeviceTensor,
  Graph,
  OffsetSet,
  optimiserStep,
  prepareOffsets,
  replayMoves,
  StepState,
  Storage,
  trainableOf,
} from "../../../kernels/mod.ts";
import {
  decayOffsets,
  type Distribution,
  dueBefore,
  findFacts,
  type Magnitude,
  magnitudeMask,
  magnitudeShares,
  momentumFromSeeds,
  type Optimiser,
  optimiser,
  preparationsOf,
  qzoNormalised,
  roundCoefficient,
  sparseZo,
  spsa,
  zoAdam,
  zoSgdConservative,
} from "../../../optim/mod.ts";
import { type Layout, offsetMagnitudes } from "../../../quant/mod.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { normals, randomPacked } from "../bench.ts";
import { type RigTensor, StepRig } from "../step_rig.ts";
import { completeParts } from "../../../optim/directions/direction_plan.ts";
import { frozenOffset } from "../../../optim/preparations/frozen.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(11);

/** Each step of a test optimiser is `coefficient = -derivative`: losses choose the coefficient. */
const plain = (options: { distribution?: Distribution; queries?: number } = {}) =>
  optimiser({
    name: "plain",
    estimator: spsa({ epsilon: 0.5, queries: options.queries }),
    distribution: options.distribution,
  });

const layouts: Record<string, Layout> = {
  "blk.0.attn_q.weight": { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 },
  "blk.0.attn_k.weight": { kind: "scalar", bits: 4, center: 0, second: "zero", group: 64 },
  "blk.0.attn_v.weight": { kind: "scalar", bits: 3, center: 4, second: "none", group: 0 },
  "blk.0.ffn_up.weight": { kind: "codebook", books: 1 },
  "blk.0.attn_norm.weight": { kind: "dense", type: "f32" },
};

function rigTensors(): RigTensor[] {
  return Object.entries(layouts).map(([name, layout], i) => ({
    name,
    packed: randomPacked(layout, layout.kind === "dense" ? 1 : 130 + i, 96, random),
  }));
}

Deno.test("updates have the host's bits, in one arena and in several", async () => {
  const rules = [
    plain({ queries: 3 }),
    plain({ distribution: "rademacher", queries: 3 }),
    optimiser({
      name: "low rank",
      estimator: spsa({ epsilon: 0.5, queries: 3 }),
      lowRank: { rank: 8, keep: 2 },
    }),
  ];
  for (const rule of rules) {
    for (const maxBinding of [gpu.maxBinding, 4096]) {
      using rig = new StepRig(gpu, rule, rigTensors(), maxBinding);
      assertEquals(rig.offsets.arenas.length > 1, maxBinding === 4096);
      for (let step = 0; step < 6; step++) {
        rig.step(step, [...normals(6, random, 10 ** -step)]);
      }
      const records = await rig.records();
      assert(records.every((r) => !r.halted));
      await rig.assertReplays(records.map((r) => r.coefficients));
    }
  }
});

Deno.test("relative offsets that keep the sign stop at -1 with the host's bits", async () => {
  const rule: Optimiser = { ...plain(), form: "relative", projection: "keep-sign" };
  using rig = new StepRig(gpu, rule, rigTensors(), 4096);
  for (let step = 0; step < 5; step++) rig.step(step, [...normals(2, random, 0.5)]);
  const records = await rig.records();
  await rig.assertReplays(records.map((r) => r.coefficients));
  const q = (await rig.offsets.read(gpu)).get("blk.0.attn_q.weight")!;
  assert(q.some((w) => w === -1) && q.every((w) => w >= -1), "nothing was stopped");
});

Deno.test("absolute offsets that keep the sign stop at zero scales with the host's bits", async () => {
  for (const maxBinding of [gpu.maxBinding, 4096]) {
    const rule: Optimiser = { ...plain(), projection: "keep-sign" };
    const tensors = rigTensors();
    using rig = new StepRig(gpu, rule, tensors, maxBinding);
    // Offsets of either zero on bases of either sign and zero: comparisons keep them as they are.
    const start = new Map(
      rig.offsets.trainables.map(({ name, count }) => {
        const values = normals(count, random, 0.3);
        values.forEach((_, i) => {
          if (i % 3 !== 0) values[i] = i % 2 === 0 ? -0 : 0;
        });
        return [name, values];
      }),
    );
    rig.offsets.write(gpu, start);
    for (let step = 0; step < 3; step++) rig.step(step, [...normals(2, random, 0.5)]);
    const records = await rig.records();
    await rig.assertReplays(records.map((r) => r.coefficients), start);
  }
});

Deno.test("a replay on the device gives the bits of the steps, over the end of a dispatch", async () => {
  for (const form of ["relative", "absolute"] as const) {
    for (const projection of ["keep-sign", "none"] as const) {
      const rule: Optimiser = { ...plain({ queries: 2 }), form, projection };
      using rig = new StepRig(gpu, rule, rigTensors().slice(0, 3), 4096);
      const count = form === "absolute" && projection === "keep-sign" ? 5 : 259;
      const steps = Array.from({ length: count }, (_, step) => {
        const coefficients = [...normals(2, random, 0.05)].map(roundCoefficient);
        return rig.record(step, coefficients);
      });
      const done: number[] = [];
      await replayMoves(gpu, rule, rig.offsets, rig.tensors, steps, {
        onProgress: (n) => done.push(n),
      });
      assertEquals(done.at(-1), count);
      await rig.assertReplays(steps.map((made) => made.coefficients));
      await assertRejects(
        () =>
          replayMoves(gpu, rule, rig.offsets, rig.tensors, steps, { signal: AbortSignal.abort() }),
        DOMException,
      );
    }
  }
});

for (
  const [by, order] of [
    ["layer", "random"],
    ["part", "cycle"],
    ["tensor", "cycle"],
    ["part", "all"],
  ] as const
) {
  Deno.test(`tensors that move in turns by ${by} (${order}) have the host's bits, and a replay on the device too`, async () => {
    const tensors = [...rigTensors(), { ...rigTensors()[0], name: "blk.1.ffn_down.weight" }];
    const count = { layer: 2, part: 2, tensor: tensors.length }[by];
    const rule = optimiser({
      name: "turns",
      estimator: spsa({ epsilon: 0.5, queries: 2 }),
      transformations: [momentumFromSeeds({ length: 3, directions: 2 })],
      blocks: { by, count, order },
    });
    using rig = new StepRig(gpu, rule, tensors, 4096);
    for (let step = 0; step < 12; step++) rig.step(step, [...normals(4, random, 0.1)]);
    const records = await rig.records();
    const coefficients = records.map((r) => r.coefficients);
    await rig.assertReplays(coefficients);
    const moved = [...(await rig.offsets.read(gpu)).values()].map((w) => w.some((x) => x !== 0));
    assertEquals(moved, moved.map(() => true));
    rig.offsets.write(
      gpu,
      new Map([...(await rig.offsets.read(gpu))].map(([n, w]) => [n, w.fill(0)])),
    );
    const steps = coefficients.map((list, step) => rig.record(step, list));
    await replayMoves(gpu, rule, rig.offsets, rig.tensors, steps);
    await rig.assertReplays(coefficients);
  });
}

Deno.test("offsets frozen by magnitude keep their bits through steps, decays and replays, as on the host", async () => {
  const rule = optimiser({
    name: "frozen",
    estimator: spsa({ epsilon: 0.5 }),
    transformations: [decayOffsets(2 ** -4, { bits: 4 })],
    form: "relative",
    projection: "keep-sign",
    magnitude: { density: 0.3, budget: "global" },
  });
  const tensors = rigTensors();
  for (const maxBinding of [gpu.maxBinding, 4096]) {
    using rig = new StepRig(gpu, rule, tensors, maxBinding);
    const freeze = async (magnitude: Magnitude) => {
      for (const due of dueBefore(preparationsOf(completeParts({ magnitude })), 0, 0)) {
        await prepareOffsets(gpu, due, rig.offsets, rig.tensors);
      }
    };
    await freeze(rule.plan.magnitude!);
    const start = await rig.offsets.read(gpu);
    const magnitudes = rig.offsets.trainables.map(({ name, span }) =>
      offsetMagnitudes(tensors.find((t) => t.name === name)!.packed, span)
    );
    magnitudeMask(rule.plan.magnitude!, magnitudes).forEach((mask, i) => {
      const held = start.get(rig.offsets.trainables[i].name)!;
      assertEquals([...held].map((w) => w === frozenOffset ? 0 : 1), [...mask]);
    });
    for (let step = 0; step < 6; step++) rig.step(step, [...normals(2, random, 0.5)]);
    const records = await rig.records();
    await rig.assertReplays(records.map((r) => r.coefficients), start);
    for (const [name, values] of await rig.offsets.read(gpu)) {
      const before = start.get(name)!;
      assert(values.every((w, i) => (w === frozenOffset) === (before[i] === frozenOffset)), name);
    }
    await freeze(rule.plan.magnitude!);
    const other = { density: 0.1, take: "large" } as const;
    await assertRejects(
      () => freeze(other),
      RangeError,
      "trained without this mask",
    );
  }
});

Deno.test("masks with a share for each tensor have the host's bits, and need their shares", async () => {
  const rule = sparseZo({ sparsity: 0.6, resample: 2, learningRate: 1, budget: "global" });
  const tensors = rigTensors();
  for (const maxBinding of [gpu.maxBinding, 4096]) {
    using base = new StepRig(gpu, plain(), tensors, maxBinding);
    const { trainables } = base.offsets;
    const shares = magnitudeShares(
      rule.plan.mask!.density,
      trainables.map(({ span }, i) => offsetMagnitudes(tensors[i].packed, span)),
    );
    const shared = await findFacts(preparationsOf(rule.plan), trainables, {
      bases: (one) => basesOf(gpu, base.tensors, one),
      slopes: () => Promise.reject(new Error("no slopes are asked for")),
    });
    assertEquals(shared.map(({ share }) => share), shares);
    assert(new Set(shares).size > 2, "shares do not differ");
    assertThrows(() => assertTrainables(rule, base.offsets), TypeError, "has no share of the mask");
    using rig = new StepRig(gpu, rule, tensors, maxBinding, shares);
    assertTrainables(rule, rig.offsets);
    for (let step = 0; step < 6; step++) rig.step(step, [...normals(2, random, 0.5)]);
    const records = await rig.records();
    await rig.assertReplays(records.map((r) => r.coefficients));
  }
});

Deno.test("only the tensor whose turn it is moves", async () => {
  const rule = optimiser({
    name: "turns",
    estimator: spsa({ epsilon: 0.5 }),
    blocks: { by: "tensor", count: 5 },
  });
  using rig = new StepRig(gpu, rule, rigTensors(), 4096);
  for (let step = 0; step < 5; step++) {
    rig.step(step, [1, 2]);
    await rig.records();
    const moved = [...(await rig.offsets.read(gpu)).values()].map((w) => w.some((x) => x !== 0));
    assertEquals(moved, moved.map((_, i) => i <= step));
  }
});

Deno.test("directions that are not plain need their seeds", () => {
  const rule = zoAdam({ state: "seeds" });
  const inputs = {
    branches: new Storage("b", 32, "scratch"),
    scalars: new Storage("s", 8, "scratch"),
  };
  const ranges = {
    branches: { storage: inputs.branches, offset: 0, bytes: 32 },
    scalars: { storage: inputs.scalars, offset: 0, bytes: 8 },
  };
  assertThrows(
    () =>
      optimiserStep(
        new Graph(),
        rule,
        new StepState(rule, 1),
        new Storage("losses", 8, "scratch"),
        ranges,
        new OffsetSet([], 4096),
        new Map(),
      ),
    TypeError,
    "seeds are not given",
  );
  assertThrows(
    () => {
      const two = zoSgdConservative();
      const offsets = new OffsetSet([], 4096);
      const losses = new Storage("losses", 12, "scratch");
      optimiserStep(new Graph(), two, new StepState(two, 1), losses, ranges, offsets, new Map());
    },
    TypeError,
    "candidates are evaluated is not given",
  );
});

for (const bad of [NaN, Infinity, -Infinity]) {
  Deno.test(`a loss of ${bad} halts its step and all behind it`, async () => {
    const rule = qzoNormalised({ queries: 2 });
    const tensors = rigTensors().slice(0, 2);
    using rig = new StepRig(gpu, rule, tensors);
    rig.step(0, [1, 2, 3, 1]);
    rig.step(1, [1, 2, 2, 1]);
    const before = await rig.offsets.read(gpu);
    rig.step(2, [1, 2, bad, 1]);
    rig.step(3, [1, 2, 2, 1]);
    const records = await rig.records();
    assertEquals(records.map((r) => r.halted), [false, false, true, true]);
    assertEquals(String(records[2].losses[2]), String(bad));
    assertEquals(await rig.offsets.read(gpu), before);
    await rig.assertReplays(records.slice(0, 2).map((r) => r.coefficients));
    const control = await gpu.read([{ buffer: rig.state.control.buffer }]);
    const [recorded, halted] = new Uint32Array(control[0]);
    assertEquals([recorded, halted], [4, 1]);
    assertEquals(new Float32Array(control[0])[2], records[1].state[0], "the state moved");
  });
}

Deno.test("finite losses whose coefficient overflows halt", async () => {
  using rig = new StepRig(gpu, plain(), rigTensors().slice(0, 1));
  rig.step(0, [3e38, -3e38]);
  rig.step(1, [1, 2]);
  const records = await rig.records();
  assertEquals(records.map((r) => r.halted), [true, true]);
  await rig.assertReplays([]);
});

Deno.test("a coefficient that rounds to zero moves nothing and does not halt", async () => {
  using rig = new StepRig(gpu, plain(), rigTensors().slice(0, 1));
  rig.step(0, [1e-35, -1e-35]);
  const [record] = await rig.records();
  assertEquals([record.halted, Math.abs(record.coefficients[0])], [false, 0]);
  await rig.assertReplays([]);
});

Deno.test("offsets are written, copied and read by name, and wrong ones are refused", async () => {
  const tensors = rigTensors();
  const trainables = tensors.map(({ name, packed }, i) => {
    const tensor = new DeviceTensor(name, packed.layout, packed.rows, packed.columns, 2 ** 20);
    return trainableOf(tensor, i, "relative", 32);
  });
  using one = new OffsetSet(trainables, 4096).allocate(gpu);
  using other = new OffsetSet(trainables, 4096).allocate(gpu);
  const values = new Map(trainables.map((t) => [t.name, normals(t.count, random)]));
  one.write(gpu, values);
  other.copyFrom(gpu, one);
  assertEquals(await other.read(gpu), values);
  assert(one.scalars < trainables.reduce((sum, t) => sum + t.count, 0), "padding was counted");
  for (const [name, length] of [["blk.0.attn_q.weight", 5], ["nothing", 4]] as const) {
    let message = "";
    try {
      one.write(gpu, new Map([[name, new Float32Array(length)]]));
    } catch (error) {
      assert(error instanceof RangeError);
      message = error.message;
    }
    assert(message.includes(`Cannot write ${length} offsets of "${name}"`), message);
  }
});

Deno.test("a step's state starts where it is told", () => {
  const rule = qzoNormalised();
  const state = new StepState(rule, 8);
  assertEquals(new Float32Array(state.initialControl([2.5]).buffer)[2], 2.5);
  assertEquals([...state.initialControl()], [0, 0, 0]);
});
