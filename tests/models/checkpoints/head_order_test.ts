import { assertEquals, assertThrows } from "@std/assert";
import { reorderHeads } from "../../../models/checkpoints/head_order.ts";
import { decode, quantize } from "../../../quant/mod.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";

for (
  const format of [
    "F16",
    "F32",
    "Q4_0",
    "int4z_g64",
    "int3_g32",
    "codebook1x8",
    "Q5_1",
    "Q6_K",
    "IQ4_XS",
    "MXFP4",
  ]
) {
  Deno.test(`rows of heads move whole and back in ${format}`, () => {
    const [rows, columns, heads] = [12, format.endsWith("K") || format === "IQ4_XS" ? 256 : 96, 2];
    const values = randomNormals(rows * columns, 1, randomNumbers(5));
    const tensor = quantize(values, rows, columns, format);
    const moved = reorderHeads(tensor, heads, true);
    assertEquals(reorderHeads(moved, heads, false), tensor);
    const [before, after] = [decode(tensor), decode(moved)];
    // Head of 6 rows: (0, 3), (1, 4), (2, 5) come to lie side by side.
    [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11].forEach((from, to) => {
      assertEquals(
        after.slice(to * columns, (to + 1) * columns),
        before.slice(from * columns, (from + 1) * columns),
      );
    });
    assertThrows(() => reorderHeads(tensor, 4, true), RangeError, "3 rows");
  });
}
