import { type Perturbation, scaleColumns } from "../../../kernels/mod.ts";
import type { Layout } from "../../../quant/mod.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
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
const random = randomNumbers(12);
const f32: Layout = { kind: "dense", type: "f32" };

interface Case {
  readonly rows: number;
  readonly columns: number;
  readonly branches: number;
  readonly change?: TestPerturbation;
  readonly residual?: boolean;
}

async function check(one: Case): Promise<void> {
  const { rows, columns, branches, change, residual } = one;
  using bench = new Bench(gpu);
  const packed = randomPacked(f32, 1, columns, random);
  const scales = bench.tensor("s", packed);
  let perturbation: Perturbation | undefined;
  let own: Float64Array[] = Array(branches).fill(effectiveWeights(packed));
  if (change) {
    const perturbed = perturb(bench, scales, packed, change, branches, random);
    [perturbation, own] = [perturbed.perturbation!, perturbed.weights];
  }
  const count = branches * rows * columns;
  const x = normals(count, random);
  const before = residual ? normals(count, random) : undefined;
  const context = contextOf(bench, { rows }, branches, {}, { perturbation });
  const [actual] = await bench.run(scaleColumns(context, bench.value("x", x), {
    ...{ scales, rows },
    residual: before && bench.value("residual", before),
  }));
  const expected = Float64Array.from(
    x,
    (value, i) => value * own[Math.floor(i / rows / columns)][i % columns] + (before?.[i] ?? 0),
  );
  assertClose(actual, expected, JSON.stringify(one));
}

const cases: Record<string, Case> = {
  "one row": { rows: 1, columns: 4, branches: 1 },
  "a residual, several branches": { rows: 7, columns: 68, branches: 3, residual: true },
  "noise": {
    ...{ rows: 9, columns: 260, branches: 3, residual: true },
    change: { form: "absolute", span: 1, distribution: "normal" },
  },
  "offsets without noise": {
    ...{ rows: 5, columns: 36, branches: 1 },
    change: { form: "absolute", span: 1, distribution: "none" },
  },
};

for (const [name, one] of Object.entries(cases)) {
  Deno.test(`columns are scaled: ${name}`, () => check(one));
}

Deno.test("columns are scaled where workgroups fold", async () => {
  await withWorkgroupLimit(gpu, 3, () => check({ rows: 70, columns: 32, branches: 2 }));
});
