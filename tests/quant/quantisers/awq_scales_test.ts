import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { awqScales, decode, outputError, quantize } from "../../../quant/mod.ts";
import { dividedInputs, timesColumns } from "../../../quant/quantisers/awq_scales.ts";
import { outlyingInputs } from "../calibration_inputs.ts";
import { normals } from "../random.ts";

const columns = 128;
const statistics = outlyingInputs(21, columns, 300);

function layersOf(format: string) {
  return [{ values: normals(22, 24 * columns), rows: 24, format }, {
    values: normals(23, 10 * columns).map((x) => x / 50),
    rows: 10,
    format,
  }];
}

// At two bits the fit by importance leaves factors nothing to gain on these inputs.
for (const format of ["int3_g32", "int4_g128", "int3z_g64", "Q4_0", "int4_row", "nf4_g64"]) {
  Deno.test(`AWQ to ${format}: loud columns grow, and the error is that of the outputs`, () => {
    const layers = layersOf(format);
    const { factors, exponent, error, plainError } = awqScales(layers, statistics);
    assert(exponent > 0 && error < 0.97 * plainError, `${exponent} ${error} ${plainError}`);
    assert(factors[5] > 1.1 * factors[6]);
    assertAlmostEquals(Math.max(...factors) * Math.min(...factors), 1, 1e-5);
    const divided = dividedInputs(statistics, factors);
    let [sum, plain] = [0, 0];
    for (const { values, rows } of layers) {
      const scaled = quantize(timesColumns(values, factors), rows, columns, format, {
        statistics: divided,
      });
      const effective = timesColumns(decode(scaled), factors.map((factor) => 1 / factor));
      sum += outputError(values, effective, rows, columns, statistics) ** 2;
      const rounded = decode(quantize(values, rows, columns, format, { statistics }));
      plain += outputError(values, rounded, rows, columns, statistics) ** 2;
    }
    assertAlmostEquals(error, sum, 1e-4 * sum);
    assertAlmostEquals(plainError, plain, 1e-4 * plain);
  });
}

Deno.test("divided inputs and multiplied columns leave the outputs' moments", () => {
  const factors = normals(24, columns).map((x) => Math.exp(x));
  const divided = dividedInputs(statistics, factors);
  for (const k of [0, 5, 77]) {
    assertAlmostEquals(divided.magnitudes[k] * factors[k], statistics.magnitudes[k], 1e-4);
    const at = k * columns + 9;
    const back = divided.moments[at] * factors[k] * factors[9];
    assertAlmostEquals(back, statistics.moments[at], 1e-5 * Math.abs(back) + 1e-9);
  }
});

Deno.test("columns of one source have one factor", () => {
  // Columns that are a multiple of 17 apart are loud together.
  const sources = Uint32Array.from({ length: columns }, (_, k) => k % 17);
  const { factors, exponent } = awqScales(layersOf("int4_g128"), statistics, { sources });
  assert(exponent > 0);
  factors.forEach((factor, k) => assertEquals(factor, factors[k % 17]));
  assert(new Set(factors).size > 8);
});

Deno.test("never worse than without factors; inputs that never were; what does not fit", () => {
  const even = {
    ...statistics,
    moments: statistics.moments.map((_, i) => i % (columns + 1) === 0 ? 1 : 0),
    magnitudes: normals(25, columns).map(Math.abs),
  };
  const misled = awqScales(layersOf("int4_g32"), even);
  assert(misled.error <= misled.plainError);
  const never = {
    ...statistics,
    moments: new Float32Array(columns * columns),
    magnitudes: new Float32Array(columns),
  };
  const { factors, exponent } = awqScales(layersOf("int4_g32"), never);
  assertEquals([exponent, ...factors], [0, ...new Array(columns).fill(1)]);
  assertThrows(
    () => awqScales(layersOf("int4_g32"), statistics, { sources: new Uint32Array(3) }),
    TypeError,
    "3 sources",
  );
});
