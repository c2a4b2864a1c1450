import { assertEquals, assertThrows } from "@std/assert";
import {
  decode,
  formatByName,
  FORMATS,
  numberToFloat16,
  quantize,
  quantizeCodebook,
  readScales,
} from "../../../quant/mod.ts";
import { CODE_TABLES } from "../../../quant/layouts/code_tables.ts";
import { codeAt, readSeconds } from "../../../quant/layouts/decode.ts";
import { groupColumns } from "../../../quant/layouts/layout.ts";
import { outlyingInputs } from "../calibration_inputs.ts";
import { normals } from "../random.ts";
import { sampled } from "../../support/sampled.ts";

function relativeError(values: Float32Array, decoded: Float32Array): number {
  let [error, total] = [0, 0];
  for (const [i, value] of values.entries()) {
    error += (value - decoded[i]) ** 2;
    total += value ** 2;
  }
  return Math.sqrt(error / total);
}

const SCALAR = FORMATS.filter((format) => format.layout.kind === "scalar");

for (const format of sampled("scalar formats", SCALAR)) {
  Deno.test(`${format.name}: no code could be nearer, scales are f16, search never loses`, () => {
    const layout = format.layout;
    if (layout.kind !== "scalar") return;
    const [rows, columns] = [3, format.gguf?.blockElements === 256 ? 512 : 96];
    const values = normals(7, rows * columns);
    const t = quantize(values, rows, columns, format.name);
    const decoded = decode(t);
    const group = groupColumns(layout, columns);
    const groups = Math.ceil(columns / group);
    const [scales, seconds] = [readScales(t), readSeconds(t)];
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < columns; k++) {
        const i = row * columns + k;
        const g = row * groups + Math.floor(k / group);
        const code = codeAt(t, row, k);
        const step = Math.abs(scales[g]);
        const inside = code > 0 && code < (layout.levels ?? 2 ** layout.bits) - 1;
        const error = Math.abs(decoded[i] - values[i]);
        if (layout.table) {
          const errors = [...CODE_TABLES[layout.table]].map((value) =>
            Math.abs(Math.fround(scales[g] * value) - values[i])
          );
          assertEquals(error <= Math.min(...errors) + 1e-6, true, `${error} ${errors}`);
        } else if (inside) assertEquals(error <= step / 2 * (1 + 1e-5), true, `${error} ${step}`);
        if (layout.second === "zero") assertEquals(seconds[g], Math.round(seconds[g]));
      }
    }
    const plain = decode(quantize(values, rows, columns, format.name, { search: false }));
    assertEquals(relativeError(values, decoded) <= relativeError(values, plain), true);
    // What is on the grid already stays there, but for Q4_1's sum and a least-squares step.
    const again = relativeError(decoded, decode(quantize(decoded, rows, columns, format.name)));
    assertEquals(again < 0.35 * relativeError(values, decoded) + 2e-4, true, `${again}`);
  });
}

Deno.test("the error of normal values is what rate and range predict", () => {
  const values = normals(3, 64 * 512);
  const error = (name: string, search = true): number =>
    relativeError(values, decode(quantize(values, 64, 512, name, { search })));
  // Uniform rounding of 32 normal values: step 2 * 2.07 / 16 (mean largest of 32), error step / sqrt(12).
  const within = (value: number, low: number, high: number): void =>
    assertEquals(low < value && value < high, true, `${value} is not within ${low} and ${high}`);
  within(error("Q4_0"), 0.07, 0.09);
  within(error("IQ4_NL"), 0.06, 0.075);
  within(error("Q5_0"), 0.035, 0.045);
  within(error("Q5_1"), 0.03, 0.04);
  within(error("Q4_1"), 0.06, 0.08);
  within(error("Q8_0"), 0.0045, 0.0055);
  within(error("int4_g128"), 0.085, 0.105);
  within(error("int3_g32"), 0.14, 0.18);
  // Lloyd and Max: four levels on a normal density cannot do better than 0.343 without a scale per group.
  within(error("int2_row"), 0.343, 0.39);
  assertEquals(error("int2_g128") < 0.9 * error("int2_g128", false), true);
});

Deno.test("super-blocks err as their bits predict, and search never loses", () => {
  const values = normals(3, 16 * 512);
  const bounds: Record<string, [number, number]> = {
    Q2_K: [0.25, 0.32],
    Q3_K: [0.14, 0.18],
    Q4_K: [0.06, 0.08],
    Q5_K: [0.03, 0.04],
    Q6_K: [0.016, 0.022],
    IQ4_XS: [0.06, 0.08],
    MXFP4: [0.1, 0.14],
  };
  for (const [name, [low, high]] of Object.entries(bounds)) {
    const [error, plain] = [true, false].map((search) =>
      relativeError(values, decode(quantize(values, 16, 512, name, { search })))
    );
    assertEquals(low < error && error < high, true, `${name}: ${error}, without search ${plain}`);
    assertEquals(error <= plain, true, `${name}: ${error}, without search ${plain}`);
  }
});

for (const format of sampled("weighted formats", FORMATS)) {
  const { kind } = format.layout;
  if (kind !== "scalar" && kind !== "super") continue;
  Deno.test(`${format.name}: what counts more errs less, and equal counts change nothing`, () => {
    const [rows, columns] = [8, 512];
    const values = normals(17, rows * columns);
    const statistics = outlyingInputs(18, columns, 40);
    // MXFP4 has a handful of scales to choose from: most choices stay.
    const gain = format.name === "MXFP4" ? 1 : 0.99;
    const weighted = (decoded: Float32Array): number => {
      let sum = 0;
      for (let i = 0; i < values.length; i++) {
        sum += statistics.moments[(i % columns) * (columns + 1)] * (values[i] - decoded[i]) ** 2;
      }
      return sum;
    };
    const plain = quantize(values, rows, columns, format.name);
    const knowing = quantize(values, rows, columns, format.name, { statistics });
    const [a, b] = [weighted(decode(knowing)), weighted(decode(plain))];
    assertEquals(a < gain * b, true, `${a} ${b}`);
    const { moments } = statistics;
    for (let i = 0; i < columns; i++) moments[i * (columns + 1)] = 3;
    assertEquals(quantize(values, rows, columns, format.name, { statistics }), plain);
    const other = { ...statistics, columns: 256 };
    assertThrows(
      () => quantize(values, rows, columns, format.name, { statistics: other }),
      TypeError,
      "256 inputs",
    );
    moments[0] = NaN;
    assertThrows(
      () => quantize(values, rows, columns, format.name, { statistics }),
      RangeError,
      "mean square",
    );
  });
}

Deno.test("Q4_0 keeps what llama.cpp's rule can hold exactly", () => {
  // d = extreme / -8: the value of the largest magnitude, whatever its sign, takes code 0.
  const values = Float32Array.from({ length: 32 }, (_, i) => (i % 16 - 8) * -0.25);
  const t = quantize(values, 1, 32, "Q4_0");
  assertEquals(decode(t), values);
  assertEquals(readScales(t)[0], -0.25);
});

Deno.test("edges: zeros, one value, huge and tiny values, ties of sign", () => {
  for (const format of FORMATS) {
    if (format.layout.kind === "dense" || format.layout.kind === "codebook") continue;
    const length = format.gguf?.blockElements === 256 ? 256 : 64;
    const cases = [
      new Float32Array(length),
      new Float32Array(length).fill(0.75),
      new Float32Array(length).fill(-3),
      Float32Array.from({ length }, (_, i) => i === 40 ? -1 : 0),
      Float32Array.from({ length }, (_, i) => (i - length / 2) * 1e3),
      Float32Array.from({ length }, (_, i) => (i - length / 2) * 1e-7),
      Float32Array.from({ length }, (_, i) => (i - length / 2) * 1e36),
    ];
    for (const values of cases) {
      const decoded = decode(quantize(values, 1, length, format.name));
      assertEquals(decoded.every(Number.isFinite), true, format.name);
      // Two bits lose half at most; a quantiser that gives up would lose all.
      const error = relativeError(values, decoded);
      if (Math.abs(values[0]) < 1e30 && Math.abs(values[0]) > 1e-3) {
        assertEquals(error < 0.5, true, `${format.name} ${error}`);
      }
      if (values[0] === 0 && values[40] === 0) {
        assertEquals(decoded.map((value) => value + 0), values);
      }
    }
  }
});

Deno.test("dense formats round each value", () => {
  const values = normals(1, 66);
  const t = quantize(values, 3, 22, "F16");
  assertEquals(decode(quantize(values, 3, 22, "F32")), values);
  for (const [i, value] of values.entries()) {
    assertEquals(codeAt(t, Math.floor(i / 22), i % 22), numberToFloat16(value));
  }
});

Deno.test("codebooks: shapes, determinism, and an error below that of any two-bit grid", () => {
  const [rows, columns] = [64, 256];
  const values = normals(5, rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < columns; k++) values[row * columns + k] *= 2 ** (row % 7);
  }
  const one = quantizeCodebook(values, rows, columns, { books: 1, seed: 1, rounds: 3 });
  const two = quantizeCodebook(values, rows, columns, { books: 2, seed: 1, rounds: 3 });
  assertEquals(
    quantizeCodebook(values, rows, columns, { books: 2, seed: 1, rounds: 3 }),
    two,
  );
  const [oneError, twoError] = [one, two].map((t) => relativeError(values, decode(t)));
  // 2048 vectors for 256 entries: the bound of one bit on normal values is 0.5, of two 0.25.
  assertEquals(oneError < 0.55, true, `${oneError}`);
  assertEquals(twoError < 0.3, true, `${twoError}`);
  assertEquals(
    quantizeCodebook(values, rows, columns, { books: 2, seed: 2, rounds: 3 }).codes.join() !==
      two.codes.join(),
    true,
  );
});

Deno.test("a tensor that two books can hold exactly is found", () => {
  const entries = normals(9, 16 * 8).map((value) => Math.round(value * 4) / 4);
  const values = new Float32Array(32 * 256);
  for (let v = 0; v < values.length / 8; v++) {
    const code = (v * 7 + (v >> 4)) % 16;
    values.set(entries.subarray(code * 8, code * 8 + 8), v * 8);
  }
  const decoded = decode(quantizeCodebook(values, 32, 256, { books: 1, seed: 0 }));
  assertEquals(relativeError(values, decoded) < 1e-3, true);
  assertEquals(decode(quantize(new Float32Array(64), 2, 32, "codebook2x8")), new Float32Array(64));
});

Deno.test("what cannot be quantised is refused", () => {
  const values = new Float32Array(64);
  assertThrows(() => quantize(values, 2, 33, "Q4_0"), RangeError, "multiple of 32");
  assertThrows(() => quantize(values, 3, 32, "Q4_0"), TypeError, "64 values");
  assertThrows(() => quantize(values, 2, 32, "Q4_9"), RangeError, "Q4_0");
  values[40] = NaN;
  assertThrows(() => quantize(values, 2, 32, "int4_g32"), RangeError, "row 1, column 8");
  assertThrows(() => quantizeCodebook(values, 2, 32, { books: 1, seed: 0 }), RangeError, "row 1");
  assertThrows(() => formatByName("int5_g32"), RangeError, "int");
});
