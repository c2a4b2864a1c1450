import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  decode,
  FORMATS,
  gptqQuantize,
  type InputStatistics,
  outputError,
  quantize,
  readScales,
} from "../../../quant/mod.ts";
import { codeAt, readSeconds } from "../../../quant/layouts/decode.ts";
import { gptqApplies } from "../../../quant/quantisers/gptq_quantize.ts";
import { correlated, statisticsOf } from "../calibration_inputs.ts";
import { normals } from "../random.ts";
import { sampled } from "../../support/sampled.ts";

function identity(columns: number): InputStatistics {
  const moments = new Float32Array(columns * columns);
  for (let i = 0; i < columns; i++) moments[i * columns + i] = 1;
  return { columns, tokens: 1, moments, magnitudes: new Float32Array(columns).fill(1) };
}

const fixture = JSON.parse(
  await Deno.readTextFile(new URL("../../fixtures/gptq_quantize.json", import.meta.url)),
);
const floats = (base64: string) => new Float32Array(Uint8Array.fromBase64(base64).buffer);

for (const { format, actOrder, damping, codes, scales, seconds } of fixture.cases) {
  Deno.test(`${format}${actOrder ? " in the order of activations" : ""}: the published algorithm's codes and scales`, () => {
    const { rows, columns } = fixture;
    const inputs = new Int8Array(Uint8Array.fromBase64(fixture.inputs).buffer);
    const statistics = statisticsOf(inputs, columns);
    const values = floats(fixture.weights);
    for (const blockSize of [1, 48, 128, 1000]) {
      const options = { actOrder, damping, blockSize, search: false };
      const t = gptqQuantize(values, rows, columns, format, statistics, options);
      assertEquals(readScales(t), floats(scales), `scales with blocks of ${blockSize}`);
      const layout = t.layout;
      assert(layout.kind === "scalar");
      if (layout.second !== "none") assertEquals(readSeconds(t), floats(seconds));
      const found = Uint8Array.from(
        { length: rows * columns },
        (_, i) => codeAt(t, Math.floor(i / columns), i % columns),
      );
      assertEquals(found, Uint8Array.fromBase64(codes), `codes with blocks of ${blockSize}`);
    }
  });
}

const SCALAR = FORMATS.filter(gptqApplies);

Deno.test("inputs that do not go together leave round-to-nearest", () => {
  for (const { name, gguf } of sampled("GPTQ formats", SCALAR)) {
    const columns = gguf?.blockElements === 256 ? 256 : 96;
    const values = normals(11, 3 * columns);
    const nearest = quantize(values, 3, columns, name);
    for (const actOrder of [false, true]) {
      const t = gptqQuantize(values, 3, columns, name, identity(columns), { actOrder });
      assertEquals(t, nearest, `${name} ${actOrder}`);
    }
  }
});

Deno.test("the output error is never above round-to-nearest's, in any format", () => {
  for (const { name, gguf } of sampled("GPTQ formats", SCALAR)) {
    const columns = gguf?.blockElements === 256 ? 256 : 96;
    for (let seed = 0; seed < 2; seed++) {
      const statistics = statisticsOf(correlated(40 + 3 * seed, 200, columns), columns);
      const values = normals(80 + seed, 8 * columns);
      const error = (t: Float32Array) => outputError(values, t, 8, columns, statistics);
      const nearest = error(decode(quantize(values, 8, columns, name)));
      for (const actOrder of [false, true]) {
        const found = error(
          decode(gptqQuantize(values, 8, columns, name, statistics, { actOrder })),
        );
        assert(found < nearest, `${name}, seed ${seed}, ${actOrder}: ${found}, nearest ${nearest}`);
      }
    }
  }
});

Deno.test("the output error is that of the outputs", () => {
  const [rows, columns, tokens] = [3, 32, 50];
  const inputs = correlated(5, tokens, columns);
  const [a, b] = [normals(1, rows * columns), normals(2, rows * columns)];
  let [error, power] = [0, 0];
  for (let t = 0; t < tokens; t++) {
    for (let row = 0; row < rows; row++) {
      let [was, difference] = [0, 0];
      for (let k = 0; k < columns; k++) {
        const x = inputs[t * columns + k];
        was += a[row * columns + k] * x;
        difference += (a[row * columns + k] - b[row * columns + k]) * x;
      }
      error += difference ** 2;
      power += was ** 2;
    }
  }
  const statistics = statisticsOf(inputs, columns);
  assertAlmostEquals(outputError(a, b, rows, columns, statistics), Math.sqrt(error / power), 1e-5);
  assertEquals(outputError(a, a, rows, columns, statistics), 0);
  assertEquals(outputError(new Float32Array(32), new Float32Array(32), 1, 32, statistics), 0);
});

Deno.test("inputs that were always zero, few tokens, and one input", () => {
  const columns = 64;
  const inputs = correlated(9, 3, columns);
  for (let t = 0; t < 3; t++) inputs.fill(0, t * columns + 8, t * columns + 40);
  const values = normals(4, 2 * columns);
  const statistics = statisticsOf(inputs, columns);
  const t = decode(gptqQuantize(values, 2, columns, "int8_g32", statistics));
  for (let k = 10; k < 30; k++) assertAlmostEquals(t[k], values[k], 0.02);
  const none = { ...statistics, moments: new Float32Array(columns * columns) };
  assertEquals(
    gptqQuantize(values, 2, columns, "int4_g32", none),
    quantize(values, 2, columns, "int4_g32"),
  );
  // Fewer tokens than columns: singular without damping, and no error.
  assertThrows(
    () => gptqQuantize(values, 2, columns, "int4_g32", statistics, { damping: 0 }),
    RangeError,
    "not positive definite at column",
  );
});

Deno.test("what GPTQ cannot quantise is refused", () => {
  const values = normals(1, 64);
  const statistics = identity(32);
  const run = (change: Partial<InputStatistics>, format = "int4_g32", options = {}) => () =>
    gptqQuantize(values, 2, 32, format, { ...statistics, ...change }, options);
  assertThrows(run({}, "Q4_K"), RangeError, "one scale per group");
  assertThrows(run({}, "codebook2x8"), RangeError, "GPTQ");
  assertThrows(run({}, "int4_g33"), RangeError, "int4_g32");
  assertThrows(run({ columns: 31 }), TypeError, "for 31 inputs");
  assertThrows(run({ moments: new Float32Array(961) }), TypeError, "961 values for 32 inputs");
  assertThrows(run(identity(64)), TypeError, "for 64 inputs");
  assertThrows(run({}, "int4_g32", { damping: -1 }), RangeError, "by -1");
  assertThrows(run({}, "int4_g32", { damping: NaN }), RangeError, "by NaN");
  assertThrows(run({}, "int4_g32", { blockSize: 0 }), RangeError, "blocks of 0");
  const moments = identity(32).moments;
  moments[3 * 32 + 5] = NaN;
  assertThrows(run({ moments }), RangeError, "NaN at 3, 5");
  moments[3 * 32 + 5] = 4;
  assertThrows(run({ moments }), RangeError, "not positive definite at column 3");
  values[40] = Infinity;
  assertThrows(run({}), RangeError, "row 1, column 8");
});
