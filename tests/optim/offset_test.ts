import { assert, assertEquals } from "@std/assert";
import { keepSign, roundCoefficient } from "../../optim/mod.ts";
import { random } from "./random.ts";
import { applyOffset } from "../../optim/offset.ts";

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return bits[0];
}

Deno.test("rounded coefficients: 16 bits, nearest, idempotent, odd, no negative zero", () => {
  const next = random(3);
  for (let trial = 0; trial < 20000; trial++) {
    const value = Math.fround((next() - 0.5) * 2 ** Math.floor(next() * 180 - 90));
    const rounded = roundCoefficient(value);
    assertEquals(bitsOf(rounded) & 0xff, 0);
    assert(Math.abs(rounded - value) <= Math.abs(value) * 2 ** -16, `${value} -> ${rounded}`);
    assertEquals(roundCoefficient(rounded), rounded);
    assertEquals(roundCoefficient(-value), rounded === 0 ? 0 : -rounded);
  }
  assert(Object.is(roundCoefficient(-0), 0));
  assert(Object.is(roundCoefficient(-(2 ** -101)), 0));
  assertEquals(roundCoefficient(2 ** -100), 2 ** -100);
  assertEquals(roundCoefficient(Math.fround(2 ** -100 * (1 - 2 ** -24))), 2 ** -100);
  assertEquals(roundCoefficient(1 + 3 * 2 ** -16), 1 + 2 ** -14);
});

Deno.test("a rounded coefficient times any level of z is exact in f32", () => {
  const next = random(4);
  for (let trial = 0; trial < 2000; trial++) {
    const coefficient = roundCoefficient((next() - 0.5) * 2 ** Math.floor(next() * 60 - 50));
    for (let k = 0; k <= 16; k++) {
      const product = coefficient * (k - 8) / 2;
      assertEquals(Math.fround(product), product);
    }
  }
});

Deno.test("keepSign lets a scale reach zero but not cross it, whatever its sign", () => {
  const next = random(5);
  for (let trial = 0; trial < 2000; trial++) {
    const base = Math.fround(next() - 0.5);
    const offset = Math.fround((next() - 0.5) * 4);
    for (const form of ["absolute", "relative"] as const) {
      const kept = keepSign(form, base, offset);
      const before = applyOffset(form, base, offset);
      const after = applyOffset(form, base, kept);
      assert(after * base >= 0);
      if (before * base > 0) assertEquals(kept, offset);
      else assertEquals(Math.abs(after), 0);
    }
  }
  assert(Object.is(keepSign("absolute", 0, -1), 0));
  assertEquals(keepSign("absolute", 0, 1), 1);
});
