import { assertEquals, assertThrows } from "@std/assert";
import {
  decode,
  float16ToNumber,
  foldScales,
  formatByName,
  FORMATS,
  numberToFloat16,
  offsetCount,
  quantize,
  readScales,
} from "../../../quant/mod.ts";
import { offsetStride } from "../../../quant/fold/fold_offsets.ts";
import { readSeconds } from "../../../quant/layouts/decode.ts";
import { groupColumns, groupsPerRow } from "../../../quant/layouts/layout.ts";
import type { OffsetForm, PackedTensor } from "../../../quant/mod.ts";
import { normals } from "../random.ts";
import { randomTensor } from "../random_tensor.ts";
import { sampled } from "../../support/sampled.ts";

function relativeError(values: Float32Array, decoded: Float32Array): number {
  let [error, total] = [0, 0];
  for (const [i, value] of values.entries()) {
    error += (value - decoded[i]) ** 2;
    total += value ** 2;
  }
  return Math.sqrt(error / total);
}

Deno.test("offsets are counted with the padding of rows to quads", () => {
  assertEquals([0, 1, 4, 5].map(offsetStride), [0, 4, 4, 8]);
  const { layout } = formatByName("int4_g32");
  assertEquals(offsetCount(layout, 5, 96, 32), 24);
  assertEquals(offsetCount(layout, 5, 96, 128), 8);
  assertEquals(offsetCount(layout, 5, 96, 0), 8);
  assertEquals(offsetCount({ kind: "dense", type: "f16" }, 5, 7, 0), 35);
  assertThrows(() => offsetCount(layout, 5, 96, -1), RangeError, "-1");
  assertThrows(() => offsetCount(layout, 5, 97, 32), RangeError, "97");
});

const FORMS: OffsetForm[] = ["absolute", "relative"];
const SPANS = [32, 64, 128, 0];

Deno.test("folded scales are the nearest f16 of the effective ones, for every format, form and span", () => {
  const rows = 5;
  for (const format of sampled("folded formats", FORMATS)) {
    if (format.layout.kind === "dense" || format.layout.kind === "super") continue;
    const columns = format.gguf?.blockElements === 256 ? 512 : 160;
    const values = normals(2, rows * columns);
    const t = format.layout.kind === "codebook"
      ? randomTensor(format, rows, columns, 1)
      : quantize(values, rows, columns, format.name, { search: false });
    const group = groupColumns(t.layout, columns);
    const groups = groupsPerRow(t.layout, columns);
    const base = readScales(t);
    for (const form of FORMS) {
      for (const span of SPANS) {
        const count = offsetCount(t.layout, rows, columns, span);
        const offsets = normals(span, count).map((value) => value * 0.1);
        const wide = span === 0 ? columns : span;
        if (wide < group && wide < columns) {
          assertThrows(() => foldScales(t, offsets, form, span), RangeError, "per");
          continue;
        }
        const { tensor, changed, swallowed } = foldScales(t, offsets, form, span);
        const folded = readScales(tensor);
        for (let row = 0; row < rows; row++) {
          for (let g = 0; g < groups; g++) {
            const i = row * groups + g;
            const offset = offsets[Math.floor(g * group / wide) * 8 + row];
            const wanted = form === "absolute" ? base[i] + offset : base[i] * (1 + offset);
            assertEquals(folded[i], float16ToNumber(numberToFloat16(wanted)));
          }
        }
        assertEquals(changed + swallowed, rows * groups);
        assertEquals(readSeconds(tensor), readSeconds(t));
        assertEquals(tensor.codes, t.codes);
        assertEquals(readScales(t), base);
      }
    }
  }
});

/** The rows of a tensor from `first` on, in a format whose rows do not share words. */
function rowsOf(t: PackedTensor, first: number, rows: number): PackedTensor {
  const format = formatByName("Q4_1");
  const bytes = format.pack(t);
  const rowBytes = format.rowBytes(t.columns);
  return format.unpack(
    bytes.subarray(first * rowBytes, (first + rows) * rowBytes),
    rows,
    t.columns,
  );
}

Deno.test("folding by pieces of rows equals folding at once", () => {
  const t = quantize(normals(4, 7 * 64), 7, 64, "Q4_1");
  const offsets = normals(5, offsetCount(t.layout, 7, 64, 32)).map((value) => value * 0.01);
  const whole = foldScales(t, offsets, "relative", 32).tensor;
  for (const [firstRow, rows] of [[0, 3], [3, 4], [6, 1]]) {
    const piece = foldScales(rowsOf(t, firstRow, rows), offsets, "relative", 32, {
      firstRow,
      totalRows: 7,
    });
    assertEquals(piece.tensor, rowsOf(whole, firstRow, rows));
  }
});

Deno.test("folded minima and zero points are the nearest f16 of the effective ones, scales stay", () => {
  const [rows, columns] = [7, 160];
  for (const name of ["Q4_1", "Q5_1", "int4z_g32", "int4m_g64", "int8z_row"]) {
    const t = quantize(normals(6, rows * columns), rows, columns, name, { search: false });
    const group = groupColumns(t.layout, columns);
    const groups = groupsPerRow(t.layout, columns);
    const base = readSeconds(t);
    for (const form of FORMS) {
      const span = form === "absolute" ? group : Math.min(2 * group, columns);
      const count = offsetCount(t.layout, rows, columns, span, "minima");
      const offsets = normals(7, count).map((value) => value * 0.1);
      const options = { part: "minima" } as const;
      const { tensor, changed, swallowed } = foldScales(t, offsets, form, span, options);
      readSeconds(tensor).forEach((second, i) => {
        const [row, g] = [Math.floor(i / groups), i % groups];
        const offset = offsets[Math.floor(g * group / span) * 8 + row];
        const wanted = form === "absolute" ? base[i] + offset : base[i] * (1 + offset);
        assertEquals(second, float16ToNumber(numberToFloat16(wanted)));
      });
      assertEquals(changed + swallowed, rows * groups);
      assertEquals(readScales(tensor), readScales(t));
      assertEquals(tensor.codes, t.codes);
    }
    const half = () => foldScales(t, new Float32Array(8 * 40), "relative", 4, { part: "minima" });
    assertThrows(half, RangeError, "per 4 columns");
  }
});

Deno.test("folded entries of codebooks are the nearest f16 of the effective ones, scales stay", () => {
  for (const name of ["codebook2x8", "codebook3x6_v16"]) {
    const t = randomTensor(formatByName(name), 5, 128, 3);
    const part = "codebook";
    const base = Array.from(new Uint16Array(t.codebook.buffer), float16ToNumber);
    assertEquals(offsetCount(t.layout, 5, 128, 0, part), base.length);
    const offsets = normals(8, base.length).map((value) => value * 0.1);
    for (const form of FORMS) {
      const { tensor, changed, swallowed } = foldScales(t, offsets, form, 0, { part });
      const entries = Array.from(new Uint16Array(tensor.codebook.buffer), float16ToNumber);
      const wanted = base.map((value, i) =>
        float16ToNumber(
          numberToFloat16(form === "absolute" ? value + offsets[i] : value * (1 + offsets[i])),
        )
      );
      assertEquals(entries, wanted);
      assertEquals(changed + swallowed, base.length);
      assertEquals([tensor.codes, tensor.scales], [t.codes, t.scales]);
      assertEquals(Array.from(new Uint16Array(t.codebook.buffer), float16ToNumber), base);
    }
  }
});

Deno.test("parts that a layout does not have are refused", () => {
  const t = quantize(normals(4, 64), 2, 32, "Q4_0");
  for (const part of ["minima", "codebook"] as const) {
    assertThrows(
      () => foldScales(t, new Float32Array(4), "relative", 32, { part }),
      RangeError,
      `Cannot train the ${part}`,
    );
  }
});

Deno.test("swallowed offsets are counted, zero offsets are not", () => {
  const t = quantize(new Float32Array(64).fill(1), 2, 32, "int4_row");
  const [scale] = readScales(t);
  // A tenth of half a step of f16 at the scale.
  const small = 2 ** (Math.floor(Math.log2(Math.abs(scale))) - 10) / 20;
  const result = foldScales(t, new Float32Array([small, 0, 9, 9]), "absolute", 0);
  assertEquals([result.changed, result.swallowed], [0, 1]);
  assertEquals(result.tensor, t);
  const large = foldScales(t, new Float32Array([1e30, 0.1, 0, 0]), "absolute", 0);
  assertEquals([large.changed, large.swallowed], [1, 1]);
  assertEquals(decode(large.tensor).every(Number.isFinite), true);
});

Deno.test("dense elements are rounded to their type", () => {
  for (const name of ["F32", "F16", "BF16"]) {
    const t = quantize(normals(6, 21), 3, 7, name);
    const offsets = normals(7, 21);
    const { tensor } = foldScales(t, offsets, "absolute", 0);
    const sums = decode(t).map((value, i) => Number(value) + offsets[i]);
    assertEquals(tensor, quantize(sums, 3, 7, name));
    const products = foldScales(t, offsets, "relative", 0).tensor;
    const expected = Float64Array.from(decode(t), (value, i) => value * (1 + offsets[i]));
    // The product is rounded once, not first to f32.
    if (name === "F32") assertEquals(decode(products), Float32Array.from(expected));
    const last = foldScales(quantize(decode(t).slice(14), 1, 7, name), offsets, "absolute", 0, {
      firstRow: 2,
      totalRows: 3,
    });
    assertEquals(decode(last.tensor), decode(tensor).slice(14));
  }
});

Deno.test("offsets that do not fit are refused", () => {
  const t = quantize(normals(1, 64), 2, 32, "Q4_0");
  const offsets = new Float32Array(4);
  assertThrows(() => foldScales(t, new Float32Array(5), "absolute", 32), TypeError, "5 offsets");
  assertThrows(() => foldScales(t, offsets.fill(NaN), "absolute", 32), RangeError, "NaN");
  assertThrows(
    () => foldScales(t, offsets, "absolute", 32, { firstRow: 1 }),
    RangeError,
    "rows 1 to 3",
  );
});

const SUPER = FORMATS.filter((format) => format.layout.kind === "super");

Deno.test("offsets that cover super-blocks become their f16 factors", () => {
  const [rows, columns] = [5, 512];
  for (const format of SUPER) {
    if (format.name === "MXFP4") continue;
    const t = quantize(normals(2, rows * columns), rows, columns, format.name);
    const weights = decode(t);
    for (const span of [256, 0]) {
      const offsets = normals(span, offsetCount(t.layout, rows, columns, span))
        .map((value) => value * 0.1);
      const { tensor, changed } = foldScales(t, offsets, "relative", span);
      const [before, after] = [readScales(t), readScales(tensor)];
      const blocks = columns / 256;
      for (let i = 0; i < rows * blocks; i++) {
        const [row, b] = [Math.floor(i / blocks), i % blocks];
        const factor = 1 + offsets[(span === 0 ? 0 : b) * 8 + row];
        assertEquals(after[i], float16ToNumber(numberToFloat16(before[i] * factor)));
      }
      assertEquals(tensor.codes, t.codes);
      assertEquals(changed > 0, true);
      // d and dmin are rounded to 11 bits each.
      const folded = decode(tensor);
      const error = relativeError(
        weights.map((value, i) => {
          const [row, column] = [Math.floor(i / columns), i % columns];
          return value * (1 + offsets[Math.floor(column / (span || columns)) * 8 + row]);
        }),
        folded,
      );
      assertEquals(error < 1e-3, true, `${format.name} ${error}`);
    }
  }
});

Deno.test("offsets finer than super-blocks become the nearest integer scales", () => {
  const [rows, columns] = [5, 512];
  for (const format of SUPER) {
    if (format.name === "MXFP4") continue;
    const t = quantize(normals(3, rows * columns), rows, columns, format.name);
    const weights = decode(t);
    for (const span of [32, 96, 128]) {
      const offsets = normals(span, offsetCount(t.layout, rows, columns, span))
        .map((value) => value * 0.1);
      const { tensor, changed, swallowed } = foldScales(t, offsets, "relative", span);
      const wanted = weights.map((value, i) => {
        const [row, column] = [Math.floor(i / columns), i % columns];
        return value * (1 + offsets[Math.floor(column / span) * 8 + row]);
      });
      const [error, none] = [decode(tensor), weights].map((it) => relativeError(wanted, it));
      // Offsets of a tenth change weights by a tenth; Q2_K's scales have 4 bits and IQ1's 3, the rest 6 to 8, or 4 and no zero.
      const bound = { Q2_K: 0.6, Q6_K: 0.1, IQ1_S: 0.6, IQ1_M: 0.6 }[format.name] ?? 0.35;
      assertEquals(error < bound * none, true, `${format.name} ${span}: ${error} of ${none}`);
      assertEquals(changed > swallowed, true);
      assertEquals(tensor.codes, t.codes);
    }
  }
});

Deno.test("exponents take the nearest power of two", () => {
  const t = quantize(normals(4, 160), 1, 160, "MXFP4");
  const offsets = new Float32Array(20);
  [0.4, 0.6, -0.2, -0.5, -1].forEach((offset, i) => offsets[i * 4] = offset);
  const { tensor, changed, swallowed } = foldScales(t, offsets, "relative", 32);
  const [before, after] = [readScales(t), readScales(tensor)];
  assertEquals([...after].map((scale, i) => scale / before[i]), [1, 2, 1, 0.5, 1]);
  assertEquals([changed, swallowed], [2, 3]);
});

Deno.test("absolute offsets of super-blocks are refused, and nothing moves without offsets", () => {
  for (const format of SUPER) {
    const t = quantize(normals(5, 512), 2, 256, format.name);
    const none = new Float32Array(offsetCount(t.layout, 2, 256, 32));
    assertThrows(() => foldScales(t, none, "absolute", 32), RangeError, "relative");
    assertThrows(
      () => foldScales(t, new Float32Array(4 * 6), "relative", 48),
      RangeError,
      "multiple of 32",
    );
    const same = foldScales(t, none, "relative", 32);
    assertEquals([same.changed, same.swallowed], [0, 0]);
    assertEquals(format.pack(same.tensor), format.pack(t));
    none.fill(NaN);
    assertThrows(() => foldScales(t, none, "relative", 32), RangeError, "NaN");
  }
});

Deno.test("scales of single columns are folded by class of rows and span of columns", () => {
  const [rows, columns, span] = [24, 96, 64];
  const t = randomTensor(formatByName("int4c_r8"), rows, columns, 5);
  const offsets = normals(3, offsetCount(t.layout, rows, columns, span)).map((value) =>
    0.1 * value
  );
  assertEquals(offsets.length, 16);
  const { tensor, changed, swallowed } = foldScales(t, offsets, "relative", span);
  const [before, after] = [readScales(t), readScales(tensor)];
  assertEquals(readSeconds(tensor), readSeconds(t));
  assertEquals(tensor.codes, t.codes);
  let different = 0;
  before.forEach((scale, i) => {
    const offset = offsets[Math.floor(i % columns / span) * 8 + Math.floor(i / columns)];
    assertEquals(after[i], Math.f16round(scale * (1 + offset)));
    if (after[i] !== scale) different++;
  });
  assertEquals([changed, changed + swallowed], [different, 8 * columns]);
  assertThrows(() => foldScales(t, offsets, "absolute", span), RangeError, "absolute offsets");
  const finer = new Float32Array(offsetCount(t.layout, rows, columns, 48));
  assertThrows(() => foldScales(t, finer, "relative", 48), RangeError, "multiple of 32");
});
