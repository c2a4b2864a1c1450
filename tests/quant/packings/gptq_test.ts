import { assertEquals, assertThrows } from "@std/assert";
import {
  decode,
  foldScales,
  gptqColumnOrder,
  type GptqShape,
  gptqToPacked,
  offsetCount,
  packedToGptqScales,
} from "../../../quant/mod.ts";
import { codeAt, readSeconds } from "../../../quant/layouts/decode.ts";
import { referenceVectors } from "../reference_vectors.ts";
import { gptqWords, plainWeights, randomMatrix, scaleBits } from "../transposed_writer.ts";

for (const bits of [2, 3, 4, 8] as const) {
  for (const group of [32, 64, 128, -1]) {
    Deno.test(`GPTQ of ${bits} bits in groups of ${group} decodes as written, both versions`, () => {
      // 32 and 160 columns: groups that are whole, partial, and wider than the row.
      for (const [rows, columns] of [[32, 32], [64, 160], [96, 256]]) {
        const m = randomMatrix(bits * 1000 + group + columns, bits, group, rows, columns);
        const scales = scaleBits(m);
        for (const version of ["v1", "v2"] as const) {
          const shape = { bits, group, rows, columns, version };
          const packed = gptqToPacked({ ...gptqWords(m, version), scales }, shape);
          assertEquals(decode(packed), plainWeights(m));
          assertEquals(packedToGptqScales(packed), scales);
          for (const column of [0, 10, 21, 31]) {
            assertEquals(codeAt(packed, 5, column), m.codes[5 * columns + column]);
          }
        }
      }
    });
  }
}

for (const { parameters, tensors, weights } of await referenceVectors("gptq")) {
  const shape = { ...parameters, version: "v1" } as unknown as GptqShape;
  const { bits, group, columns } = shape;
  const gIdx = new Int32Array(tensors.g_idx.bytes.buffer);
  const order = gptqColumnOrder(gIdx, group, columns);
  const reordered = order ? ", columns reordered," : "";
  Deno.test(`GPTQ of ${bits} bits in groups of ${group}${reordered} is what AutoGPTQ multiplies by`, () => {
    const packed = gptqToPacked({
      qweight: new Int32Array(tensors.qweight.bytes.buffer),
      qzeros: new Int32Array(tensors.qzeros.bytes.buffer),
      scales: new Uint16Array(tensors.scales.bytes.buffer),
      gIdx,
    }, shape);
    const expected = weights.map((_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      return weights[row * columns + (order ? order[column] : column)];
    });
    assertEquals(decode(packed), expected);
  });
}

Deno.test("GPTQ: any order of columns gives groups that are whole, partial last ones included", () => {
  for (const [columns, group] of [[96, 32], [160, 64], [32, 128]]) {
    const shuffled = Array.from({ length: columns }, (_, i) => i * 37 % columns);
    const gIdx = Int32Array.from(shuffled, (place) => Math.floor(place / group));
    const order = gptqColumnOrder(gIdx, group, columns);
    if (group >= columns) {
      assertEquals(order, undefined);
      continue;
    }
    assertEquals([...order!].sort((a, b) => a - b), [...shuffled.keys()]);
    order!.forEach((column, place) => assertEquals(gIdx[column], Math.floor(place / group)));
  }
  // A plane that was never filled: AutoGPTQ's exllama layers take it for none.
  assertEquals(gptqColumnOrder(new Int32Array(96), 32, 96), undefined);
  const refused = (change: (gIdx: Int32Array) => void, message: string) => {
    const gIdx = Int32Array.from({ length: 96 }, (_, i) => Math.floor(i / 32));
    change(gIdx);
    assertThrows(() => gptqColumnOrder(gIdx, 32, 96, "q"), RangeError, message);
  };
  refused(
    (g) => g[0] = 1,
    'Cannot unpack "q": g_idx puts column 63 in group 1, but there are 3 groups of 32',
  );
  refused((g) => g[5] = -1, "g_idx puts column 5 in group -1");
  refused((g) => g[95] = 3, "g_idx puts column 95 in group 3");
});

Deno.test("GPTQ: true zero points of 0 and of the largest code, in every place of a word", () => {
  for (const bits of [2, 3, 4, 8] as const) {
    const m = randomMatrix(bits, bits, 32, 64, 64);
    const top = 2 ** bits - 1;
    for (let i = 0; i < m.zeros.length; i++) m.zeros[i] = i % 3 === 0 ? 0 : i % 3 === 1 ? top : 1;
    for (const version of ["v1", "v2"] as const) {
      const packed = gptqToPacked(
        { ...gptqWords(m, version), scales: scaleBits(m) },
        { bits, group: 32, rows: 64, columns: 64, version },
      );
      // [groups, rows] in the file, [rows, groups] here.
      const zeros = Array.from({ length: 128 }, (_, i) => m.zeros[i % 2 * 64 + (i >> 1)]);
      assertEquals([...readSeconds(packed)], zeros);
      assertEquals(decode(packed), plainWeights(m));
    }
  }
});

Deno.test("GPTQ: symmetric four bits are 0x77777777 in v1 and 0x88888888 in v2", () => {
  const words = { qweight: new Int32Array(32), scales: new Uint16Array(8).fill(0x3c00) };
  const shape = { bits: 4, group: -1, rows: 8, columns: 32 } as const;
  for (const [version, word] of [["v1", 0x77777777], ["v2", 0x88888888]] as const) {
    const packed = gptqToPacked({ ...words, qzeros: Uint32Array.of(word) }, { ...shape, version });
    assertEquals(decode(packed), new Float32Array(256).fill(-8));
  }
});

Deno.test("GPTQ: in v1 a zero point of 0 has borrowed from the next, as GPTQModel subtracts whole words", () => {
  const stored = { qweight: new Int32Array(32), scales: new Uint16Array(8).fill(0x3c00) };
  const shape = { bits: 4, group: -1, rows: 8, columns: 32, version: "v1" } as const;
  // 0x76543080 and 0x08f10000, less 0x11111111.
  for (
    const [word, zeros] of [
      [0x65431f6f, [0, 8, 0, 3, 4, 5, 6, 7]],
      [0xf7dfeeef, [0, 0, 0, 0, 1, 15, 8, 0]],
    ] as const
  ) {
    const packed = gptqToPacked({ ...stored, qzeros: Uint32Array.of(word) }, shape);
    assertEquals([...readSeconds(packed)], [...zeros]);
  }
});

Deno.test("GPTQ: three bits across word borders, by hand", () => {
  // Value 10 is 0b101: low two bits at the top of word 0, the third at the bottom of word 1; value 21 is 0b110.
  const qweight = new Uint32Array(3 * 32);
  qweight[0] = 0x40000000;
  qweight[32] = 0x00000001;
  qweight[64] = 0x00000003;
  const packed = gptqToPacked(
    { qweight, qzeros: new Int32Array(3), scales: new Uint16Array(32).fill(0x3c00) },
    { bits: 3, group: 32, rows: 32, columns: 32, version: "v2" },
  );
  const expected = new Float32Array(32 * 32);
  expected[10] = 5;
  expected[21] = 6;
  assertEquals(decode(packed), expected);
});

Deno.test("GPTQ: folding changes scales only, and they go back in the file's order", () => {
  const m = randomMatrix(9, 4, 64, 16, 96);
  const packed = gptqToPacked(
    { ...gptqWords(m, "v1"), scales: scaleBits(m) },
    { bits: 4, group: 64, rows: 16, columns: 96, version: "v1" },
  );
  const offsets = new Float32Array(offsetCount(packed.layout, 16, 96, 64));
  offsets[16 + 3] = 1; // row 3 of the second group
  const { tensor } = foldScales(packed, offsets, "relative", 64);
  const scales = [...m.scales];
  scales[16 + 3] *= 2;
  assertEquals(tensor.codes, packed.codes);
  assertEquals(packedToGptqScales(tensor), scaleBits({ ...m, scales }));
  assertEquals(decode(tensor), plainWeights({ ...m, scales }));
});

Deno.test("GPTQ: what cannot be is refused by name", () => {
  const m = randomMatrix(1, 4, 32, 32, 64);
  const { qweight, qzeros, gIdx } = gptqWords(m, "v1");
  const planes = { qweight, qzeros, scales: scaleBits(m) };
  const shape = { bits: 4, group: 32, rows: 32, columns: 64, version: "v1", name: "q" } as const;
  for (const plane of ["qweight", "qzeros", "scales"] as const) {
    const cut = { ...planes, [plane]: planes[plane].slice(1) };
    assertThrows(() => gptqToPacked(cut, shape), TypeError, `Cannot unpack "q": "${plane}" has`);
  }
  assertThrows(
    () => gptqToPacked({ ...planes, gIdx: gIdx.slice(1) }, shape),
    TypeError,
    '"g_idx" has 63 elements, expected 64',
  );
  const wrong: [Record<string, unknown>, string][] = [
    [{ bits: 5 }, "5 bits"],
    [{ group: 48 }, "groups of 48"],
    [{ group: 0 }, "groups of 0"],
    [{ columns: 48 }, "multiple of 32"],
    [{ rows: 7 }, "do not fill whole words"],
    [{ rows: -8 }, "not a valid shape"],
    [{ version: "v3" }, 'version "v3"'],
  ];
  for (const [change, message] of wrong) {
    assertThrows(
      () => gptqToPacked(planes, { ...shape, ...change } as typeof shape),
      RangeError,
      message,
    );
  }
});
