import { assertEquals, assertThrows } from "@std/assert";
import {
  applyRecord,
  keepSign,
  masterSeed,
  noiseAt,
  type OffsetRule,
  roundCoefficient,
  stepSeed,
} from "../../../optim/mod.ts";
import { random } from "../random.ts";

/** One rounded operation at a time, as a device without fused multiply-add works. */
function plainly(
  rule: OffsetRule,
  seeds: readonly (readonly [number, number])[],
  coefficients: readonly number[],
  offsets: Float32Array,
  base: Float32Array,
): Float32Array {
  return offsets.map((offset, i) => {
    let w = offset;
    seeds.forEach((seed, q) => {
      const product = Math.fround(coefficients[q] * noiseAt(rule.law, seed, 77, i));
      w = Math.fround(w + product);
    });
    return rule.projection === "keep-sign" ? keepSign(rule.form, base[i], w) : w;
  });
}

Deno.test("replay equals the plain definition over many steps, forms, laws and projections", () => {
  const next = random(8);
  const n = 9001;
  const base = Float32Array.from({ length: n }, (_, i) => i % 50 === 0 ? 0 : (next() - 0.5) / 8);
  for (const dense of ["normal", "rademacher"] as const) {
    for (const form of ["absolute", "relative"] as const) {
      for (const projection of ["none", "keep-sign"] as const) {
        const rule = { law: { dense }, form, projection };
        const fast = new Float32Array(n);
        let plain = new Float32Array(n);
        for (let step = 0; step < 6; step++) {
          const seeds = [0, 1].map((q) => stepSeed(masterSeed(2), step, q));
          const coefficients = seeds.map(() => roundCoefficient((next() - 0.5) * 0.1));
          applyRecord(rule, { seeds, coefficients }, { id: 77, offsets: fast, base });
          plain = plainly(rule, seeds, coefficients, plain, base) as Float32Array<ArrayBuffer>;
        }
        assertEquals(new Uint32Array(fast.buffer), new Uint32Array(plain.buffer));
      }
    }
  }
});

Deno.test("stretches of a tensor move as the whole does", () => {
  const rule = { law: { dense: "normal" }, form: "relative", projection: "none" } as const;
  const record = { seeds: [stepSeed(masterSeed(3), 1, 0)], coefficients: [0.125] };
  const whole = new Float32Array(20000);
  applyRecord(rule, record, { id: 5, offsets: whole });
  for (const [start, end] of [[0, 3], [3, 4099], [4099, 13001], [13001, 20000]]) {
    const offsets = new Float32Array(end - start);
    applyRecord(rule, record, { id: 5, offsets, start });
    assertEquals(offsets, whole.slice(start, end));
  }
});

Deno.test("a record without a seed for each coefficient, or without its base, is refused", () => {
  const rule = { law: { dense: "normal" }, form: "absolute", projection: "keep-sign" } as const;
  const offsets = new Float32Array(4);
  const seeds = [masterSeed(1)];
  assertThrows(
    () => applyRecord(rule, { seeds, coefficients: [1, 2] }, { id: 0, offsets, base: offsets }),
    TypeError,
    "1 seeds for 2",
  );
  assertThrows(
    () => applyRecord(rule, { seeds, coefficients: [1] }, { id: 0, offsets }),
    TypeError,
    "no base",
  );
  assertThrows(
    () => applyRecord(rule, { seeds, coefficients: [1] }, { id: 0, offsets, base: [1] }),
    TypeError,
    "1 base values",
  );
  assertEquals(offsets, new Float32Array(4));
});
