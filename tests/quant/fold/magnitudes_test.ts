import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  decode,
  formatByName,
  offsetMagnitudes,
  quantize,
  readScales,
} from "../../../quant/mod.ts";
import { groupColumns, groupsPerRow } from "../../../quant/layouts/layout.ts";
import { randomNumbers } from "../../support/random_llama.ts";

const next = randomNumbers(5);
const values = (count: number) => Float32Array.from({ length: count }, () => next() - 0.5);

Deno.test("magnitudes are the mean sizes of the scales under an offset, rows padded with NaN", () => {
  for (
    const [format, columns] of [["int4_g32", 160], ["int3_g64", 192], ["Q4_1", 96], [
      "codebook1x8",
      64,
    ]] as const
  ) {
    const rows = 6;
    const tensor = quantize(values(rows * columns), rows, columns, format);
    const scales = readScales(tensor);
    const [width, groups] = [
      groupColumns(tensor.layout, columns),
      groupsPerRow(tensor.layout, columns),
    ];
    for (const span of [32, width, 2 * width, 0]) {
      const found = offsetMagnitudes(tensor, span);
      const spanColumns = span === 0 ? columns : Math.min(span, columns);
      assertEquals(found.length, Math.ceil(columns / spanColumns) * 8);
      found.forEach((size, i) => {
        const [s, row] = [Math.floor(i / 8), i % 8];
        if (row >= rows) return assertEquals(size, NaN);
        const under = new Set<number>();
        for (let k = s * spanColumns; k < Math.min(columns, (s + 1) * spanColumns); k++) {
          under.add(Math.floor(k / width));
        }
        const sizes = [...under].map((g) => Math.abs(scales[row * groups + g]));
        assertAlmostEquals(size, sizes.reduce((a, b) => a + b) / sizes.length, 1e-7);
      });
    }
  }
});

Deno.test("magnitudes of super-blocks follow the weights of their groups, of dense tensors they are the weights", () => {
  // Groups of growing size: their scales grow with them.
  const weights = Float32Array.from(
    { length: 256 },
    (_, k) => (1 + Math.floor(k / 32)) * (next() - 0.5),
  );
  for (const format of ["Q4_K", "Q6_K", "Q3_K", "IQ4_XS"]) {
    const sizes = offsetMagnitudes(quantize(weights, 1, 256, format), 32).filter((_, i) =>
      i % 4 === 0
    );
    const rising = [...sizes].map((size, i) => i === 0 || size > 0.6 * sizes[i - 1]);
    assertEquals(rising, rising.map(() => true), `${format}: ${sizes}`);
    assertEquals(sizes[7] > 4 * sizes[0], true, `${format}: ${sizes}`);
  }
  const dense = formatByName("F16").unpack(
    new Uint8Array(2 * 24).map((_, i) => i % 2 === 0 ? i : 0xb0 + i / 4),
    2,
    12,
  );
  assertEquals(offsetMagnitudes(dense, 0), decode(dense).map(Math.abs));
  const part = offsetMagnitudes(dense, 0, { firstRow: 1, totalRows: 4 });
  assertEquals([...part.slice(12, 36)], [...decode(dense).map(Math.abs)]);
  assertEquals([part[0], part[47]], [NaN, NaN]);
});
