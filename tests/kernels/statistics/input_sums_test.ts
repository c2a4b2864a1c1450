import { assertEquals, assertThrows } from "@std/assert";
import { InputSums } from "../../../kernels/mod.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { assertClose, Bench, normals, withWorkgroupLimit } from "../bench.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Sums over the first `used` rows, in f64. */
function expected(x: Float32Array, columns: number, used: number) {
  const moments = new Float64Array(columns * columns);
  const absolute = new Float64Array(columns);
  for (let row = 0; row < used; row++) {
    const at = x.subarray(row * columns, (row + 1) * columns);
    for (let i = 0; i < columns; i++) {
      absolute[i] += Math.abs(at[i]);
      for (let j = 0; j < columns; j++) moments[i * columns + j] += at[i] * at[j];
    }
  }
  return { moments, absolute };
}

for (
  const [columns, rows, used, maxBinding] of [
    [4, 1, 1, 1 << 20],
    [36, 7, 5, 1 << 20],
    [132, 19, 19, 132 * 4 * 64], // three pieces, the last of four rows
    [260, 3, 2, 1 << 20],
  ]
) {
  Deno.test(`sums over ${used} of ${rows} rows of ${columns} columns, twice`, async () => {
    using bench = new Bench(gpu);
    const random = randomNumbers(columns);
    using sums = new InputSums(columns, maxBinding).allocate(gpu);
    const wanted = {
      moments: new Float64Array(columns ** 2),
      absolute: new Float64Array(columns),
    };
    const count = bench.storage("used", Uint32Array.of(used, 0, 0, 0));
    for (let pass = 0; pass < 2; pass++) {
      const x = normals(rows * columns, random);
      sums.record(bench.graph, bench.value(`x${pass}`, x), count);
      const more = expected(x, columns, used);
      more.moments.forEach((value, i) => wanted.moments[i] += value);
      more.absolute.forEach((value, i) => wanted.absolute[i] += value);
    }
    await withWorkgroupLimit(gpu, 2, () => bench.run().then(() => {}));
    const { moments, absolute } = await sums.read(gpu);
    assertClose(moments, wanted.moments, "moments", 1e-12);
    assertClose(absolute, wanted.absolute, "absolute sums", 1e-12);
    for (let i = 0; i < columns; i++) {
      assertEquals(moments[i], moments[i * columns], "both halves are the same numbers");
    }
  });
}

Deno.test("columns that cannot be summed are refused", () => {
  assertThrows(() => new InputSums(6, 1 << 20), RangeError, "6 columns");
  assertThrows(() => new InputSums(64, 64 * 4 * 63), RangeError, "binding of 16128 bytes");
});
