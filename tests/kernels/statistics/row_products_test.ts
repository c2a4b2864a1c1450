import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { DeviceProducts } from "../../../kernels/mod.ts";
import {
  awqScales,
  decode,
  gptqComputation,
  gptqQuantize,
  outputError,
  quantizeCodebook,
  runWith,
} from "../../../quant/mod.ts";
import { awqComputation } from "../../../quant/quantisers/awq_scales.ts";
import { quantizeComputation } from "../../../quant/quantisers/round_to_nearest.ts";
import { rowProducts } from "../../../quant/quantisers/row_products.ts";
import { correlated, outlyingInputs, statisticsOf } from "../../quant/calibration_inputs.ts";
import { normals } from "../../quant/random.ts";
import { assertClose, withWorkgroupLimit } from "../bench.ts";
import { openSharedGpu } from "../one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const rowsOf = (seed: number, count: number, stride: number, first = 0) => ({
  values: Float64Array.from(normals(seed, (first + count) * stride)),
  stride,
  first,
  count,
});

for (
  const [rows, others, stride, from, to, maxBinding] of [
    [1, 1, 5, 0, 5, 1 << 20],
    [70, 9, 33, 2, 31, 1 << 20],
    [150, 130, 20, 0, 20, 64 * 20 * 4], // three pieces, the last of 22 rows
    [5, 515, 530, 1, 530, 1 << 20], // more than pass at once
  ]
) {
  Deno.test(`${rows} x ${others} products over ${to - from} of ${stride} columns, then some changed`, async () => {
    using products = new DeviceProducts(gpu, maxBinding);
    const a = rowsOf(1, rows, stride, 2);
    const b = rowsOf(2, others, stride, 1);
    const [out, expected] = [0, 0].map(() => new Float64Array(rows * others));
    const check = async (changed?: readonly [number, number]) => {
      await withWorkgroupLimit(
        gpu,
        2,
        () => products.multiply({ a, b, from, to, out, ...(changed ? { changed } : {}) }),
      );
      rowProducts({ a, b, from, to, out: expected });
      assertClose(out, expected, "products", 1e-12);
    };
    await check();
    for (let row = 2; row < 2 + rows; row++) a.values[row * stride + 3]++;
    await check([3, 4]);
    b.values[stride] += 2;
    await check([3, 3]);
    products[Symbol.dispose]();
    // Nothing is held any more: all of it is uploaded whatever is said to have changed.
    await check([3, 3]);
  });
}

Deno.test("rows that do not fit a binding are refused, and memory is freed", async () => {
  {
    using products = new DeviceProducts(gpu, 64 * 4 * 8);
    const a = rowsOf(3, 1, 9);
    const request = { a, b: a, from: 0, to: 9, out: new Float64Array(1) };
    await assertRejects(() => products.multiply(request), RangeError, "rows of 9 values");
    const fits = rowsOf(3, 1, 8);
    await products.multiply({ ...request, a: fits, b: fits, to: 8 });
    assert(gpu.memory.total > 0);
  }
  assertEquals(gpu.memory.total, 0);
});

Deno.test("GPTQ, AWQ and codebooks on the device are what they are on the host, to f32 rounding", async () => {
  using products = new DeviceProducts(gpu);
  const columns = 288;
  const rows = 40;
  const statistics = statisticsOf(correlated(4, 500, columns), columns);
  const values = normals(5, rows * columns);
  const error = (t: Float32Array) => outputError(values, t, rows, columns, statistics);
  for (const actOrder of [false, true]) {
    const here = decode(
      gptqQuantize(values, rows, columns, "int4_g32", statistics, { actOrder }),
    );
    const compute = gptqComputation(statistics, { actOrder });
    const there = decode(await runWith(compute(values, rows, columns, "int4_g32"), products));
    const same = here.filter((x, i) => x === there[i]).length;
    assert(same > 0.99 * values.length, `${same} of ${values.length}`);
    assertAlmostEquals(error(there), error(here), 1e-3 * error(here));
  }
  const books = { seed: 0, statistics };
  const fitted = decode(quantizeCodebook(values, rows, columns, { books: 2, ...books }));
  const there = await runWith(
    quantizeComputation(values, rows, columns, "codebook2x8", books),
    products,
  );
  assertAlmostEquals(error(decode(there)), error(fitted), 0.02 * error(fitted));

  const loud = outlyingInputs(6, columns, 300);
  const layers = [{ values, rows, format: "int3_g32" }];
  const [host, device] = [
    awqScales(layers, loud),
    await runWith(awqComputation(layers, loud), products),
  ];
  assertEquals(device.exponent, host.exponent);
  assertAlmostEquals(device.error, host.error, 1e-4 * host.error);
});
