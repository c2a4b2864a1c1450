import { lowRank } from "../../../kernels/mod.ts";
import type { DeviceTensor, Perturbation } from "../../../kernels/mod.ts";
import type { Layout, PackedTensor } from "../../../quant/mod.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { mergedWeights } from "../../reference/low_rank.ts";
import { matmul } from "../../reference/matmul.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import {
  assertClose,
  Bench,
  normals,
  perturb,
  randomPacked,
  type TestPerturbation,
  withWorkgroupLimit,
} from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(11);
const f32: Layout = { kind: "dense", type: "f32" };

interface Case {
  readonly rows: number;
  readonly rank: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly branches: number;
  readonly change?: TestPerturbation;
  readonly residual?: boolean;
  readonly bias?: boolean;
}

async function check(one: Case, adapterClass: "software" | "hardware"): Promise<void> {
  const { rows, rank, inputs, outputs, branches, change, residual, bias } = one;
  using bench = new Bench(gpu);
  const perturbations = new Map<string, Perturbation>();
  const trained = (name: string, packed: PackedTensor): [DeviceTensor, Float64Array[]] => {
    const tensor = bench.tensor(name, packed);
    if (!change) return [tensor, Array(branches).fill(effectiveWeights(packed))];
    const { perturbation, weights } = perturb(bench, tensor, packed, change, branches, random);
    perturbations.set(name, perturbation!);
    return [tensor, weights];
  };
  const [down, a] = trained("a", randomPacked(f32, rank, inputs, random));
  const [up, b] = trained("b", randomPacked(f32, rank, outputs, random));
  const [added, biases] = bias ? trained("bias", randomPacked(f32, 1, outputs, random)) : [];
  const x = normals(branches * rows * inputs, random);
  const before = residual ? normals(branches * rows * outputs, random) : undefined;
  const context = {
    ...contextOf(bench, { rows }, branches, {}, { adapterClass }),
    perturbation: (name: string) => perturbations.get(name),
  };
  const scale = 0.7;
  const [actual] = await bench.run(lowRank(context, bench.value("x", x), {
    ...{ down, up, bias: added, scale, rows },
    residual: before && bench.value("residual", before),
  }));
  const zeros = new Float64Array(inputs * outputs);
  const merged = a.map((own, i) => mergedWeights(zeros, { a: own, b: b[i], rank, scale }));
  const expected = matmul({ branches, rows, inputs, outputs }, merged, x, null, before ?? null)
    .map((y, i) => y + scale * (biases?.[Math.floor(i / rows / outputs)][i % outputs] ?? 0));
  assertClose(actual, expected, JSON.stringify({ ...one, adapterClass }));
}

const noisy = { form: "absolute", span: 1, distribution: "normal" } as const;

const cases: Record<string, Case> = {
  "one row": { rows: 1, rank: 8, inputs: 68, outputs: 132, branches: 1 },
  "rows that fill no tile, an odd rank": {
    ...{ rows: 7, rank: 3, inputs: 36, outputs: 20, branches: 2 },
    residual: true,
  },
  "noise, a residual and a bias": {
    ...{ rows: 9, rank: 16, inputs: 260, outputs: 68, branches: 3 },
    ...{ change: noisy, residual: true, bias: true },
  },
  "low-rank directions": {
    ...{ rows: 5, rank: 6, inputs: 64, outputs: 96, branches: 2 },
    change: { ...noisy, distribution: { dense: "normal", structure: "lowRank" } },
  },
  "offsets without noise, a bias of all branches": {
    ...{ rows: 4, rank: 12, inputs: 128, outputs: 64, branches: 1 },
    change: { ...noisy, distribution: "none" },
  },
  "a bias that is not trained": {
    rows: 6,
    rank: 4,
    inputs: 32,
    outputs: 32,
    branches: 2,
    bias: true,
  },
};

for (const adapterClass of ["software", "hardware"] as const) {
  for (const [name, one] of Object.entries(cases)) {
    Deno.test(`low rank as on ${adapterClass} adapters: ${name}`, () => check(one, adapterClass));
  }
  Deno.test(`low rank as on ${adapterClass} adapters, workgroups folded`, async () => {
    const one = { rows: 70, rank: 8, inputs: 32, outputs: 64, branches: 2, residual: true };
    await withWorkgroupLimit(gpu, 3, () => check(one, adapterClass));
  });
}
