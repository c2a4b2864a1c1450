import { assertEquals } from "@std/assert";
import { effectiveWeights, offsetCount } from "./effective_weights.ts";
import { decode, type PackedTensor } from "../../quant/mod.ts";
import { type Layout, planeWords } from "../../quant/layouts/layout.ts";
import { randomNumbers } from "../support/random_llama.ts";

/** A tensor of random words whose scales are finite: halves of 2^-10 to 2^-6. */
function randomTensor(layout: Layout, rows: number, columns: number): PackedTensor {
  const random = randomNumbers(rows * columns);
  const words = planeWords(layout, rows, columns);
  const codes = Uint32Array.from({ length: words.codes }, () => random() * 2 ** 32);
  const half = (): number => Math.floor(random() * 0x400) | (5 + Math.floor(random() * 4)) << 10;
  const halves = (length: number): Uint32Array<ArrayBuffer> =>
    Uint32Array.from({ length }, () => half() + half() * 65536);
  const dense = layout.kind === "dense";
  return {
    layout,
    rows,
    columns,
    codes: dense ? halves(words.codes) : codes,
    scales: halves(words.scales),
    codebook: halves(words.codebook),
  };
}

const layouts: Layout[] = [
  { kind: "dense", type: "f32" },
  { kind: "dense", type: "f16" },
  { kind: "dense", type: "bf16" },
  ...([2, 3, 4, 8] as const).flatMap((bits): Layout[] => [
    { kind: "scalar", bits, center: 2 ** (bits - 1), second: "none", group: 64 },
    { kind: "scalar", bits, center: 0, second: "zero", group: 32 },
    { kind: "scalar", bits, center: 0, second: "min", group: 0 },
  ]),
  { kind: "codebook", books: 1 },
  { kind: "codebook", books: 2 },
  { kind: "codebook", books: 1, bits: 16 },
  { kind: "column", bits: 3, classes: 4 },
  { kind: "codebook", books: 3, bits: 5, vector: 16 },
  { kind: "codebook", books: 2, bits: 11, vector: 16 },
];

Deno.test("the oracle's plain weights are those of the CPU decoder, for every layout", () => {
  for (const layout of layouts) {
    const tensor = randomTensor(layout, 5, "vector" in layout ? 192 : 96);
    const expected = Float32Array.from(effectiveWeights(tensor));
    assertEquals(decode(tensor), expected, JSON.stringify(layout));
  }
});

Deno.test("offsets and noise move the scale that they belong to", () => {
  // Codes are all 3, the scale is 1, so a weight is 3 times the moved scale.
  const tensor: PackedTensor = {
    layout: { kind: "scalar", bits: 8, center: 0, second: "none", group: 32 },
    rows: 2,
    columns: 64,
    codes: new Uint32Array(32).fill(0x03030303),
    scales: new Uint32Array(2).fill(0x3c003c00),
    codebook: new Uint32Array(0),
  };
  assertEquals(offsetCount(tensor, 32), 8); // two rows are padded to four
  const offsets = [0.25, 0.5, NaN, NaN, 1, 2, NaN, NaN];
  const noise = { amplitude: 0.125, z: (index: number) => index };
  const weights = effectiveWeights(tensor, offsets, "absolute", 32, noise);
  const corners = [0, 32, 64, 96].map((i) => weights[i] / 3);
  assertEquals(corners, [1.25, 2.5, 1.625, 3.625]);
  const doubled = { ...tensor, scales: new Uint32Array(2).fill(0x40004000) };
  const relative = effectiveWeights(doubled, offsets, "relative", 32, noise);
  assertEquals([...relative], [...weights].map((weight) => 2 * weight));
});
