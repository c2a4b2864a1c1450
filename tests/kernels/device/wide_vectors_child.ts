/**
 * What a process computes on its adapter, for `wide_vectors_test.ts` to compare: products, attention's exponentials, noise.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { matmul, openGpu, rmsNorm, siluGate } from "../../../kernels/mod.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { Bench, normals, perturb, randomPacked } from "../bench.ts";
import { contextOf } from "../context.ts";

if (import.meta.main) {
  using gpu = await openGpu();
  const random = randomNumbers(9);
  const hash = createHash("sha256");
  for (const [rows, bits] of [[1, 4], [70, 4], [70, 2]] as const) {
    using bench = new Bench(gpu);
    const layout = {
      kind: "scalar",
      bits,
      center: 2 ** (bits - 1),
      second: "none",
      group: 32,
    } as const;
    const packed = randomPacked(layout, 96, 256, random);
    const tensor = bench.tensor("w", packed);
    const change = { form: "relative", distribution: "normal", span: 32 } as const;
    const { perturbation } = perturb(bench, tensor, packed, change, 2, random);
    const gain = bench.tensor("g", randomPacked({ kind: "dense", type: "f32" }, 1, 96, random));
    const x = bench.value("x", normals(2 * rows * 256, random));
    const context = contextOf(bench, { rows }, 2, {});
    const y = matmul(bench.graph, x, tensor, {
      rows,
      branches: 2,
      perturbation,
      adapterClass: gpu.adapterClass,
    });
    const normed = rmsNorm(context, y, gain, 1e-5);
    for (const values of await bench.run(siluGate(context, y, normed))) {
      hash.update(new Uint8Array(values.buffer));
    }
  }
  console.log(JSON.stringify({ description: gpu.description, bits: hash.digest("hex") }));
}
