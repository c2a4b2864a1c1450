import { assert, assertEquals } from "@std/assert";
import { activationOf } from "../../../kernels/operations/activations/activations.ts";
import { normOf } from "../../../kernels/operations/norms/norms.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { layerNorm as oracle } from "../../reference/layer_norm.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import {
  assertClose,
  Bench,
  normals,
  perturb,
  randomPacked,
  withWorkgroupLimit,
} from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(61);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const [layerNorm, relu] = [normOf("layer"), activationOf("relu")];

/** Rows far from zero, so that a variance that is a difference of large sums would show. */
const rowsOf = (length: number) => normals(length, random, 0.5).map((value) => value + 30);

for (const adapterClass of ["software", "hardware"] as const) {
  Deno.test(`layer norm on ${adapterClass}, of all rows and of listed ones, with vectors by branch`, async () => {
    for (const columns of [4, 68, 300]) {
      for (const form of [undefined, "absolute", "relative"] as const) {
        for (const [hasGain, hasBias] of [[true, true], [true, false], [false, false]]) {
          for (const listed of [undefined, [6, 0, 6]]) {
            using bench = new Bench(gpu);
            const [rows, branches] = [7, 3];
            const vector = (name: string, has: boolean) => {
              if (!has) return undefined;
              const packed = randomPacked({ kind: "dense", type: "f32" }, 1, columns, random);
              const tensor = bench.tensor(name, packed);
              const still: Float64Array[] = Array(branches).fill(effectiveWeights(packed));
              if (!form) return { tensor, weights: still, perturbation: undefined };
              const test = { form, span: 1, distribution: "normal" } as const;
              return { tensor, ...perturb(bench, tensor, packed, test, branches, random) };
            };
            const [gain, bias] = [vector("n.weight", hasGain), vector("n.bias", hasBias)];
            const context = {
              ...contextOf(
                bench,
                { rows, lossRows: 3 },
                branches,
                { lossRows: listed ?? [] },
                { adapterClass },
              ),
              perturbation: (name: string) => (name === "n.bias" ? bias : gain)?.perturbation,
            };
            const x = rowsOf(branches * rows * columns);
            const y = layerNorm(
              context,
              bench.value("x", x),
              { gain: gain?.tensor, bias: bias?.tensor },
              {
                width: columns,
                epsilon: 1e-5,
                list: listed && { first: context.layout.lossRows, count: listed.length },
              },
            );
            const [actual] = await bench.run(y);
            const expected = range(branches).flatMap((b) =>
              (listed ?? range(rows)).flatMap((row) => {
                const at = (b * rows + row) * columns;
                const own = x.subarray(at, at + columns);
                return [...oracle(
                  own,
                  gain?.weights[b] ?? null,
                  bias?.weights[b] ?? null,
                  columns,
                  1e-5,
                )];
              })
            );
            assertClose(actual, expected, JSON.stringify({ columns, form, hasGain, hasBias }));
          }
        }
      }
    }
  });
}

Deno.test("layer norm beyond the workgroup limit folds into the second dimension", async () => {
  for (const adapterClass of ["software", "hardware"] as const) {
    using bench = new Bench(gpu);
    const [rows, columns, branches] = [97, 68, 3];
    const x = rowsOf(branches * rows * columns);
    const context = contextOf(bench, { rows }, branches, {}, { adapterClass });
    const y = layerNorm(context, bench.storage("x", x), {}, { width: columns, epsilon: 1e-5 });
    await withWorkgroupLimit(gpu, 5, async () => {
      const [actual] = await bench.run(y);
      assertClose(actual, oracle(x, null, null, columns, 1e-5), adapterClass);
    });
  }
});

Deno.test("relu, alone and as a gate; what is not a number stays so", async () => {
  using bench = new Bench(gpu);
  const x = normals(4 * 77, random);
  x.set([0, -0, 1e-30, -1e-30, Infinity, -Infinity, 3e38, -3e38]);
  const times = normals(4 * 77, random);
  const context = contextOf(bench, { rows: 1 }, 1, {});
  const value = bench.value("x", x);
  const broken = bench.value("broken", x.map((it, i) => i === 9 ? NaN : it));
  const [alone, gated, kept] = await bench.run(
    relu(context, value),
    relu(context, value, bench.value("times", times)),
    relu(context, broken),
  );
  const positive = [...x].map((it) => it > 0 ? it : 0);
  assertEquals([...alone].map((it) => it + 0), positive);
  assertClose(gated.slice(8), positive.map((it, i) => it * times[i]).slice(8), "gate");
  assert(Number.isNaN(kept[9]), `not a number became ${kept[9]}`);
});
