import { assert, assertAlmostEquals } from "@std/assert";
import { activationOf } from "../../../kernels/operations/activations/activations.ts";
import { gelu, geluTanh } from "../../reference/gelu.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { assertClose, Bench, normals } from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(67);

Deno.test("the oracles of GELU are the published values", () => {
  assertAlmostEquals(gelu(1), 0.8413447460685429, 1e-14); // Phi(1)
  assertAlmostEquals(gelu(-3), -3 * 0.0013498980316300933, 1e-15);
  assertAlmostEquals(geluTanh(1), 0.841192, 5e-7);
  let most = 0;
  for (let x = -6; x < 6; x += 1e-3) most = Math.max(most, Math.abs(gelu(x) - geluTanh(x)));
  assertAlmostEquals(most, 4.73e-4, 1e-6);
});

for (const [kind, oracle] of [["gelu", gelu], ["gelu-tanh", geluTanh]] as const) {
  Deno.test(`${kind}, alone and as a gate, large arguments included`, async () => {
    using bench = new Bench(gpu);
    const x = normals(4 * 777, random, 2);
    x.set([0, -0, 1e-30, -1e-30, 80, -80, 3e38, -3e38, 200, -200, 12, -12]);
    const times = normals(x.length, random);
    const context = contextOf(bench, { rows: 1 }, 1, {});
    const activation = activationOf(kind);
    const [alone, gated] = await bench.run(
      activation(context, bench.value("x", x)),
      activation(context, bench.value("x", x), bench.value("times", times)),
    );
    const expected = Array.from(x, oracle);
    const usual = (values: ArrayLike<number>) =>
      Array.from(values).filter((_, i) => Math.abs(x[i]) < 1e30);
    assertClose(usual(alone), usual(expected), kind, 1e-12);
    assertClose(usual(gated), usual(expected.map((it, i) => it * times[i])), `${kind} gate`, 1e-12);
    assert(alone[6] === x[6] && Math.abs(alone[7]) < 1e-30, `${alone[6]}, ${alone[7]}`);
    // No sum of it is far off: small tails keep their digits.
    alone.forEach((value, i) => {
      if (Math.abs(x[i]) > 5) return;
      const error = Math.abs(value - expected[i]) / Math.max(1e-30, Math.abs(expected[i]));
      assert(error < 2e-3, `${kind} of ${x[i]}: ${value}, not ${expected[i]}`);
    });
  });
}
