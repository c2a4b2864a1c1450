import { assertEquals, assertThrows } from "@std/assert";
import {
  awqToPacked,
  decode,
  packedToGptqScales,
  quantize,
  type TransposedShape,
} from "../../../quant/mod.ts";
import { referenceVectors } from "../reference_vectors.ts";
import { awqWords, plainWeights, randomMatrix, scaleBits } from "../transposed_writer.ts";

for (const { parameters, tensors, weights } of await referenceVectors("awq")) {
  const shape = parameters as unknown as TransposedShape;
  Deno.test(`AWQ in groups of ${shape.group} is what AutoAWQ dequantises`, () => {
    const packed = awqToPacked({
      qweight: new Int32Array(tensors.qweight.bytes.buffer),
      qzeros: new Int32Array(tensors.qzeros.bytes.buffer),
      scales: new Uint16Array(tensors.scales.bytes.buffer),
    }, shape);
    assertEquals(decode(packed), weights);
  });
}

for (const group of [32, 64, 128, -1]) {
  Deno.test(`AWQ in groups of ${group} decodes as written`, () => {
    for (const [rows, columns] of [[8, 32], [40, 160], [64, 256]]) {
      const m = randomMatrix(group + columns, 4, group, rows, columns);
      m.zeros[0] = 0;
      m.zeros[1] = 15;
      const scales = scaleBits(m);
      const packed = awqToPacked({ ...awqWords(m), scales }, { bits: 4, group, rows, columns });
      assertEquals(decode(packed), plainWeights(m));
      assertEquals(packedToGptqScales(packed), scales);
    }
  });
}

Deno.test("AWQ: the nibbles of a word are output features 0, 2, 4, 6, 1, 3, 5, 7", () => {
  const packed = awqToPacked(
    {
      qweight: new Uint32Array(32).fill(0x76543210),
      qzeros: new Uint32Array(1),
      scales: new Uint16Array(8).fill(0x3c00),
    },
    { bits: 4, group: 32, rows: 8, columns: 32 },
  );
  const values = decode(packed);
  const firsts = Array.from({ length: 8 }, (_, row) => values[row * 32]);
  assertEquals(firsts, [0, 4, 1, 5, 2, 6, 3, 7]);
});

Deno.test("AWQ: what cannot be is refused by name", () => {
  const m = randomMatrix(1, 4, 32, 32, 64);
  const planes = { ...awqWords(m), scales: scaleBits(m) };
  const shape = { bits: 4, group: 32, rows: 32, columns: 64, name: "q" } as const;
  for (const plane of ["qweight", "qzeros", "scales"] as const) {
    const cut = { ...planes, [plane]: planes[plane].slice(1) };
    assertThrows(() => awqToPacked(cut, shape), TypeError, `Cannot unpack "q": "${plane}" has`);
  }
  assertThrows(() => awqToPacked(planes, { ...shape, bits: 8 }), RangeError, '"q": 8 bits');
  assertThrows(() => awqToPacked(planes, { ...shape, group: 16 }), RangeError, "groups of 16");
  assertThrows(() => awqToPacked(planes, { ...shape, rows: 12 }), RangeError, "whole words");
  assertThrows(
    () => packedToGptqScales(quantize(new Float32Array(32), 1, 32, "Q4_0")),
    TypeError,
    "a zero point per group",
  );
});
