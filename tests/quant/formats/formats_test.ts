import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  aqlmToPacked,
  bitsPerWeight,
  decode,
  decodeRow,
  float16ToNumber,
  formatByName,
  FORMATS,
  readScales,
} from "../../../quant/mod.ts";
import { formatByGgufType } from "../../../quant/formats/formats.ts";
import { CODE_TABLES } from "../../../quant/layouts/code_tables.ts";
import { codeAt, readSeconds } from "../../../quant/layouts/decode.ts";
import { groupColumns, groupsPerRow } from "../../../quant/layouts/layout.ts";
import { emptyPacked, halves, planeBytes } from "../../../quant/layouts/planes.ts";
import { readCodes, writeCodes } from "../../../quant/layouts/scalar_codes.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { codeFromWords, decodeGgufBytes } from "../plain_decoder.ts";
import { randomBytes } from "../random.ts";
import { randomTensor } from "../random_tensor.ts";
import { sampled } from "../../support/sampled.ts";

const SHAPES = [[1, 32], [3, 96], [5, 160], [2, 256], [7, 128], [4, 320]];

/** A shape near this one that the format can hold. */
function shapeFor(format: (typeof FORMATS)[number], [rows, columns]: number[]): [number, number] {
  const multiple = format.gguf?.blockElements ?? 32;
  return [rows, Math.ceil(columns / multiple) * multiple];
}

for (const format of sampled("packed formats", FORMATS)) {
  Deno.test(`${format.name}: pack and unpack are inverse on every shape`, () => {
    for (const [i, shape] of SHAPES.entries()) {
      const [rows, columns] = shapeFor(format, shape);
      const t = randomTensor(format, rows, columns, 100 * i);
      if (format.layout.kind === "scalar" || format.layout.kind === "codebook") {
        // Padding of the last scale word is no part of a GGUF file.
        const used = rows * groupsPerRow(format.layout, columns);
        const one = format.layout.kind === "codebook" || format.layout.second === "none";
        if (one && used % 2 === 1) halves(t.scales)[used] = 0;
      }
      const bytes = format.pack(t);
      assertEquals(format.unpack(bytes, rows, columns), t);
      assertEquals(format.pack(format.unpack(bytes, rows, columns)), bytes);
      if (format.gguf !== undefined) assertEquals(bytes.length, rows * format.rowBytes(columns));
    }
  });

  Deno.test(`${format.name}: bytes of the wrong length, impossible shapes and other layouts are refused`, () => {
    const [, columns] = shapeFor(format, [2, 64]);
    const bytes = format.pack(emptyPacked(format.layout, 2, columns));
    assertThrows(() => format.unpack(bytes.subarray(1), 2, columns), TypeError, "expected");
    assertThrows(() => format.unpack(bytes, 4, columns), TypeError);
    assertThrows(() => format.unpack(bytes, -1, columns), RangeError);
    assertThrows(() => format.unpack(bytes, 2 ** 40, 2 ** 40), RangeError);
    assertThrows(() => format.unpack(bytes, 0.5, columns), RangeError);
    if (format.layout.kind !== "dense") {
      assertThrows(() => format.unpack(bytes, 2, 33), RangeError, "multiple of");
      assertThrows(() => format.rowBytes(48), RangeError);
      if (columns === 256) assertThrows(() => format.rowBytes(128), RangeError, "multiple of 256");
    }
    const other = FORMATS.find((f) => f.layout.kind !== format.layout.kind)!;
    assertThrows(() => other.pack(format.unpack(bytes, 2, columns)), TypeError, other.name);
  });
}

Deno.test("GGUF formats decode as a decoder written from the description alone", () => {
  const inGguf = FORMATS.filter((format) => format.gguf);
  assertEquals(inGguf.length, 25);
  for (const format of inGguf) {
    const { name } = format;
    for (const [i, shape] of SHAPES.entries()) {
      const [rows, columns] = shapeFor(format, shape);
      const bytes = format.pack(randomTensor(format, rows, columns, i));
      // An odd start in the buffer must not matter.
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      const values = decode(format.unpack(shifted.subarray(1), rows, columns));
      assertEquals(values, Float32Array.from(decodeGgufBytes(name, bytes)));
    }
  }
});

Deno.test("any bytes of a GGUF type decode, and come back as they were", () => {
  for (const format of FORMATS) {
    if (!format.gguf) continue;
    const [rows, columns] = shapeFor(format, [3, 160]);
    for (let seed = 0; seed < 20; seed++) {
      const bytes = randomBytes(seed, rows * format.rowBytes(columns));
      const t = format.unpack(bytes, rows, columns);
      assertEquals(decode(t).length, rows * columns);
      const again = format.pack(t);
      // Five digits in base 3 have several bytes; the values are the same.
      if (format.name === "TQ1_0") assertEquals(format.unpack(again, rows, columns), t);
      else assertEquals(again, bytes, format.name);
    }
  }
});

Deno.test("codes that a ternary byte cannot hold are refused", () => {
  const t = emptyPacked(formatByName("TQ1_0").layout, 1, 256);
  t.codes[5] = 3;
  assertThrows(() => formatByName("TQ1_0").pack(t), RangeError, "code 3 at element 68");
});

Deno.test("scalar layouts decode by the word order of their documentation", () => {
  for (const format of FORMATS) {
    if (format.layout.kind !== "scalar") continue;
    const { bits, center, second, table } = format.layout;
    for (const [i, shape] of SHAPES.entries()) {
      const [rows, columns] = shapeFor(format, shape);
      const t = randomTensor(format, rows, columns, i);
      const values = decode(t);
      const groups = groupsPerRow(t.layout, columns);
      const [scales, seconds] = [readScales(t), readSeconds(t)];
      assertEquals(scales.length, rows * groups);
      assertEquals(seconds.length, second === "none" ? 0 : rows * groups);
      for (let row = 0; row < rows; row++) {
        for (let k = 0; k < columns; k++) {
          const q = codeFromWords(t.codes, bits, columns, row, k);
          assertEquals(codeAt(t, row, k), q);
          const g = row * groups + Math.floor(k / groupColumns(t.layout, columns));
          const value = second === "none"
            ? scales[g] * (table ? CODE_TABLES[table][q] : q - center)
            : second === "zero"
            ? scales[g] * (q - seconds[g])
            : scales[g] * (q - center) + seconds[g];
          assertEquals(values[row * columns + k], Math.fround(value));
        }
      }
      assertEquals(decodeRow(t, rows - 1), values.slice((rows - 1) * columns));
    }
  }
});

Deno.test("decode(pack(q)) is q for every width and shape", () => {
  for (const bits of [2, 3, 4, 5, 6, 8] as const) {
    for (const [i, [rows, columns]] of SHAPES.entries()) {
      const codes = randomBytes(i + bits, rows * columns).map((byte) => byte % 2 ** bits);
      const layout = { kind: "scalar", bits, center: 0, second: "none", group: 0 } as const;
      const t = emptyPacked(layout, rows, columns);
      writeCodes(codes, bits, codes.length / 32, planeBytes(t.codes), 0);
      halves(t.scales).fill(0x3c00); // 1
      assertEquals(decode(t), Float32Array.from(codes));
      const back = new Uint8Array(codes.length);
      readCodes(planeBytes(t.codes), 0, bits, codes.length / 32, back);
      assertEquals(back, codes);
    }
  }
  for (let bits = 1; bits <= 16; bits++) {
    for (const vector of [8, 16] as const) {
      const [books, rows, columns] = [1 + bits % 4, 3, 128];
      const places = rows * columns / vector;
      const width = bits > 8 ? 2 : 1;
      const stored = randomBytes(bits, places * books * width);
      const packed = aqlmToPacked({
        codes: stored,
        codebooks: new Uint16Array(books * 2 ** bits * vector),
        scales: new Uint16Array(rows),
      }, { books, bits, vector, rows, columns });
      for (let place = 0; place < places; place++) {
        for (let book = 0; book < books; book++) {
          const at = (place * books + book) * width;
          const code = (stored[at] + (width === 2 ? 256 * stored[at + 1] : 0)) % 2 ** bits;
          const [row, column] = [Math.floor(place * vector / columns), place * vector % columns];
          assertEquals(codeAt(packed, row, column + vector - 1, book), code);
        }
      }
    }
  }
});

Deno.test("codebooks of any size and scales per column are formats by name, and pack and unpack", () => {
  const names = [
    "codebook4x8",
    "codebook1x1",
    "codebook3x11",
    "codebook2x16_v16",
    "codebook8x5_v16",
  ];
  for (const [i, name] of names.entries()) {
    const format = formatByName(name);
    assertEquals(format.name, name);
    const t = randomTensor(format, 4, 192, i);
    assertEquals(format.unpack(format.pack(t), 4, 192), t);
    assertEquals(decode(t), Float32Array.from(effectiveWeights(t)));
    const { layout } = format;
    for (const name of ["codebook1x8", "int4_row"]) {
      assertThrows(() => formatByName(name).pack(t), TypeError, JSON.stringify(layout));
    }
  }
  for (const [i, name] of ["int4c_r4", "int3c_r8", "int8c_r64"].entries()) {
    const format = formatByName(name);
    const t = randomTensor(format, 9, 96, i);
    assertEquals(format.unpack(format.pack(t), 9, 96), t);
    assertEquals(decode(t), Float32Array.from(effectiveWeights(t)));
    assertEquals(decodeRow(t, 8), decode(t).slice(8 * 96));
    assertThrows(() => formatByName("int4_row").pack(t), TypeError, JSON.stringify(format.layout));
  }
  for (const name of ["int4c_r6", "int4c_r0", "int5c_r4"]) {
    assertThrows(() => formatByName(name), RangeError, name);
  }
  for (
    const name of ["codebook0x8", "codebook9x8", "codebook1x0", "codebook1x17", "codebook2x08"]
  ) {
    assertThrows(() => formatByName(name), RangeError, name);
  }
});

Deno.test("codebook layouts add the entries of their books and scale the row", () => {
  for (const books of [1, 2]) {
    const t = randomTensor(formatByName(`codebook${books}x8`), 3, 96, books);
    const values = decode(t);
    const [scales, entries] = [halves(t.scales), halves(t.codebook)];
    for (let row = 0; row < 3; row++) {
      for (let k = 0; k < 96; k++) {
        let sum = 0;
        for (let c = 0; c < books; c++) {
          const word = t.codes[(row * 3 + Math.floor(k / 32)) * books + c];
          const code = Math.floor(word / 256 ** Math.floor((k % 32) / 8)) % 256;
          assertEquals(codeAt(t, row, k, c), code);
          sum += float16ToNumber(entries[(c * 256 + code) * 8 + k % 8]);
        }
        assertAlmostEquals(values[row * 96 + k], float16ToNumber(scales[row]) * sum, 1e-6);
      }
    }
  }
});

Deno.test("formats are found by name and by GGUF type", () => {
  for (const format of FORMATS) {
    assertEquals(formatByName(format.name), format);
    if (format.gguf) assertEquals(formatByGgufType(format.gguf.type), format);
  }
  assertEquals(FORMATS.length, new Set(FORMATS.map((format) => format.name)).size);
  assertEquals(formatByGgufType(40), undefined);
  assertThrows(() => formatByName("q4-0"), RangeError, "Q4_0");
  assertThrows(() => formatByName("int4_g129"), RangeError, "int4_g128");
});

Deno.test("bits per weight count scales and codebooks", () => {
  assertEquals(bitsPerWeight(formatByName("Q8_0"), 64, 64), 8.5);
  assertEquals(bitsPerWeight(formatByName("int4z_g32"), 64, 64), 5);
  assertEquals(bitsPerWeight(formatByName("int2_row"), 64, 1024), 2 + 16 / 1024);
  assertEquals(
    bitsPerWeight(formatByName("codebook2x8"), 4096, 4096),
    2 + 16 / 4096 + 2 * 256 * 8 * 16 / 4096 ** 2,
  );
});

Deno.test("places outside a tensor are refused", () => {
  const t = emptyPacked(formatByName("int4_g32").layout, 2, 64);
  assertThrows(() => codeAt(t, 2, 0), RangeError, "row 2");
  assertThrows(() => codeAt(t, 0, 64), RangeError, "column 64");
  assertThrows(() => decodeRow(t, -1), RangeError);
  assertThrows(() => decode({ ...t, codes: t.codes.slice(1) }), TypeError, "codes");
  assertThrows(
    () => codeAt(emptyPacked(formatByName("codebook1x8").layout, 1, 32), 0, 0, 1),
    RangeError,
    "book 1",
  );
});
