import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { badValue, badValueText, checkValues } from "../../../quant/quantisers/check_values.ts";
import { decode, formatByName, FORMATS, quantize } from "../../../quant/mod.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { sampled } from "../../support/sampled.ts";

const COLUMNS = 512;

function relativeError(values: Float32Array, found: Float32Array): number {
  const sum = (of: (i: number) => number) => values.reduce((s, _, i) => s + of(i) ** 2, 0);
  return Math.sqrt(sum((i) => values[i] - found[i]) / sum((i) => values[i]));
}

Deno.test("whatever a format takes it holds as well as small values: what it cannot hold is seen", () => {
  const base = randomNormals(COLUMNS, 0.2, randomNumbers(5));
  const lifted = base.map((value) => value + 2);
  for (const { name, layout } of sampled("largest values", FORMATS)) {
    // These are only read.
    if (layout.kind === "codebook" && (layout.bits ?? 8) > 8 || layout.kind === "column") continue;
    for (const values of [base, lifted]) {
      const usual = relativeError(values, decode(quantize(values, 1, COLUMNS, name)));
      let seen = false;
      for (let power = 8; power < 40 && !seen; power++) {
        const large = values.map((value) => value * 2 ** power);
        seen = badValue(large, layout) !== undefined;
        if (seen) continue;
        const error = relativeError(large, decode(quantize(large, 1, COLUMNS, name)));
        assertLess(error, usual * 1.05 + 1e-3, `${name} at 2^${power}`);
      }
      assertEquals(seen, name !== "F32" && name !== "BF16", name);
    }
  }
});

Deno.test("the first bad value is told with its place and what it is too large for", () => {
  const values = new Float32Array(12);
  values[7] = -70000;
  const { layout } = formatByName("F16");
  const bad = badValue(values, layout)!;
  assertEquals(badValueText(bad, 4), "-70000 at row 1, column 3, beyond F16's 65504");
  assertEquals(badValueText(bad, 4, 10), "-70000 at row 11, column 3, beyond F16's 65504");
  assert(!badValue(values, formatByName("Q8_0").layout));
  values[3] = Infinity;
  assertEquals(badValueText(badValue(values, layout)!, 4), "Infinity at row 0, column 3");
  assertThrows(() => checkValues(values, 3, 4, "Q8_0"), RangeError, "Infinity at row 0, column 3");
  assertThrows(() => checkValues(values, 3, 5, "Q8_0"), TypeError, "12 values as 3 x 5");
});
