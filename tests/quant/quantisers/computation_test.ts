import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import {
  gptqComputation,
  gptqQuantize,
  outputError,
  ProductWorkers,
  runWith,
} from "../../../quant/mod.ts";
import { runHere, sharedFloats } from "../../../quant/quantisers/computation.ts";
import { outputErrorComputation } from "../../../quant/quantisers/output_error.ts";
import { rowProducts, type RowsOf } from "../../../quant/quantisers/row_products.ts";
import { correlated, statisticsOf } from "../calibration_inputs.ts";
import { normals } from "../random.ts";

function randomRows(seed: number, count: number, stride: number, first = 0): RowsOf {
  const values = sharedFloats((first + count) * stride);
  values.set(normals(seed, values.length));
  return { values, stride, first, count };
}

function plainProducts(a: RowsOf, b: RowsOf, from: number, to: number): Float64Array {
  return Float64Array.from({ length: a.count * b.count }, (_, at) => {
    const i = (a.first + Math.floor(at / b.count)) * a.stride;
    const j = (b.first + at % b.count) * b.stride;
    let sum = 0;
    for (let k = from; k < to; k++) sum += a.values[i + k] * b.values[j + k];
    return sum;
  });
}

Deno.test("products of rows are those of plain loops, at odd sizes and across what is summed at once", () => {
  for (
    const [rows, others, stride, from, to] of [
      [1, 1, 1, 0, 1],
      [3, 5, 7, 2, 6],
      [5, 131, 40, 0, 40],
      [2, 67, 1100, 3, 1099],
      [4, 4, 9, 5, 5],
    ]
  ) {
    const a = randomRows(1, rows, stride, 2);
    const b = randomRows(2, others, stride, 1);
    const out = new Float64Array(rows * others).fill(NaN);
    rowProducts({ a, b, from, to, out });
    const expected = plainProducts(a, b, from, to);
    for (let i = 0; i < out.length; i++) assertAlmostEquals(out[i], expected[i], 1e-10);
  }
});

Deno.test("workers compute the same bits as one thread, whatever their number", async () => {
  const [a, b] = [randomRows(3, 201, 200), randomRows(4, 65, 200)];
  const here = new Float64Array(201 * 65);
  rowProducts({ a, b, from: 1, to: 199, out: here });
  for (const count of [0, 1, 3]) {
    using workers = new ProductWorkers(count);
    assertEquals(workers.count, count);
    const out = sharedFloats(here.length);
    await workers.multiply({ a, b, from: 1, to: 199, out });
    assertEquals(out, here, `${count} workers`);
    // Memory that is not shared is multiplied here.
    const own = new Float64Array(here.length);
    await workers.multiply({ a, b, from: 1, to: 199, out: own });
    assertEquals(own, here);
  }
});

Deno.test({
  name: "workers need no rights",
  permissions: "none",
  fn: async () => {
    using workers = new ProductWorkers(2);
    await multiplyWith(workers);
    assertEquals(workers.count, 2);
  },
});

Deno.test("workers that are not there or cannot run are done without", async () => {
  const original = globalThis.Worker;
  const broken = class extends original {
    constructor() {
      const text = "throw new Error('no products here')";
      super(`data:text/javascript,${encodeURIComponent(text)}`, { type: "module" });
    }
  };
  for (const instead of [undefined, broken]) {
    Object.assign(globalThis, { Worker: instead });
    try {
      using workers = new ProductWorkers(2);
      await multiplyWith(workers);
      assertEquals(workers.count, 0);
    } finally {
      globalThis.Worker = original;
    }
  }
});

async function multiplyWith(workers: ProductWorkers): Promise<void> {
  const [a, b] = [randomRows(5, 300, 100), randomRows(6, 80, 100)];
  const out = sharedFloats(300 * 80);
  await workers.multiply({ a, b, from: 0, to: 100, out });
  assertAlmostEquals(out[0], plainProducts(a, b, 0, 100)[0], 1e-10);
}

Deno.test("GPTQ and output errors come out as on one thread, and can be stopped", async () => {
  const columns = 288;
  const statistics = statisticsOf(correlated(7, 400, columns), columns);
  const values = normals(8, 70 * columns);
  using workers = new ProductWorkers(2);
  for (const actOrder of [false, true]) {
    const options = { actOrder };
    const here = gptqQuantize(values, 70, columns, "int4_g32", statistics, options);
    const compute = gptqComputation(statistics, options);
    assertEquals(await runWith(compute(values, 70, columns, "int4_g32"), workers), here);
  }
  const instead = values.map((x) => Math.round(x));
  const error = outputErrorComputation(values, instead, 70, columns, statistics);
  assertEquals(
    await runWith(error, workers),
    outputError(values, instead, 70, columns, statistics),
  );
  const controller = new AbortController();
  const stopped = runWith(
    gptqComputation(statistics)(values, 70, columns, "int4_g32"),
    { multiply: (request) => workers.multiply(request), [Symbol.dispose]() {} },
    controller.signal,
  );
  controller.abort();
  await assertRejects(() => stopped, DOMException);
});

Deno.test("only the factorisation asks for exact products, and what changed is said", () => {
  const columns = 160;
  const statistics = statisticsOf(correlated(9, 300, columns), columns);
  const computation = gptqComputation(statistics, { blockSize: 32 });
  const steps = computation(normals(10, 3 * columns), 3, columns, "int4_g32");
  const changed: string[] = [];
  let exact = 0;
  runHere(function* () {
    for (const request of steps) {
      if (request?.exact) exact++;
      else if (request) changed.push(`${request.changed}, up to ${request.to}`);
      yield request;
    }
  }());
  assertEquals(exact, columns / 32 - 1);
  assert(changed.length > 0);
  assertEquals(changed, [32, 64, 96, 128].map((to) => `${to - 32},${to}, up to ${to}`));
});
