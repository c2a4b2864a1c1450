import { assertEquals } from "@std/assert";
import {
  bfloat16ToNumber,
  float16ToNumber,
  numberToBfloat16,
  numberToFloat16,
} from "../../../quant/mod.ts";
import {
  bfloat16ArrayToNumbers,
  float16ArrayToNumbers,
  numbersToBfloat16Array,
  numbersToFloat16Array,
} from "../../../quant/layouts/float16.ts";
import { float16Bits, float16Value } from "../../../quant/layouts/float16_bits.ts";

const ALL = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

Deno.test("every 16-bit pattern survives the way to a number and back", () => {
  for (const bits of ALL) {
    const value = float16ToNumber(bits);
    if (Number.isNaN(value)) {
      assertEquals(Number.isNaN(float16ToNumber(numberToFloat16(value))), true);
    } else assertEquals(numberToFloat16(value), bits);
    const wide = bfloat16ToNumber(bits);
    if (Number.isNaN(wide)) {
      assertEquals(Number.isNaN(bfloat16ToNumber(numberToBfloat16(wide))), true);
    } else assertEquals(numberToBfloat16(wide), bits);
  }
});

Deno.test("known values", () => {
  assertEquals(float16ToNumber(0x0001), 2 ** -24);
  assertEquals(float16ToNumber(0x7bff), 65504);
  assertEquals(float16ToNumber(0xfc00), -Infinity);
  assertEquals(numberToFloat16(65519), 0x7bff);
  assertEquals(numberToFloat16(65520), 0x7c00);
  assertEquals(numberToFloat16(1 + 2 ** -11), 0x3c00);
  assertEquals(numberToFloat16(1 + 3 * 2 ** -11), 0x3c02);
  assertEquals(numberToFloat16(1 + 2 ** -11 + 2 ** -30), 0x3c01);
  assertEquals(bfloat16ToNumber(0x3f80), 1);
  assertEquals(numberToBfloat16(1 + 2 ** -8), 0x3f80);
  assertEquals(numberToBfloat16(1 + 3 * 2 ** -8), 0x3f82);
  assertEquals(numberToBfloat16(3.4e38), 0x7f80);
  assertEquals(numberToBfloat16(-0), 0x8000);
});

Deno.test("array versions agree with the single ones", () => {
  const sixteens = ALL.slice(0, 0x7c00);
  assertEquals([...float16ArrayToNumbers(sixteens)], [...sixteens].map(float16ToNumber));
  assertEquals([...bfloat16ArrayToNumbers(sixteens)], [...sixteens].map(bfloat16ToNumber));
  const values = Float32Array.from({ length: 999 }, (_, i) => Math.sin(i) * 2 ** (i % 40 - 20));
  assertEquals([...numbersToFloat16Array(values)], [...values].map(numberToFloat16));
  assertEquals([...numbersToBfloat16Array(values)], [...values].map(numberToBfloat16));
});

Deno.test("without Float16Array the same bits come out, between neighbours as well", () => {
  const neighbours = float16ArrayToNumbers(ALL);
  for (const bits of ALL) {
    const value = float16Value(bits);
    assertEquals(value, neighbours[bits]);
    if (Number.isNaN(value)) continue;
    const middle = (value + neighbours[(bits + 1) & 0xffff]) / 2;
    for (const x of [value, middle, middle * (1 + 2 ** -52), middle * (1 - 2 ** -52)]) {
      if (!Number.isNaN(x)) assertEquals(float16Bits(x), numberToFloat16(x), String(x));
    }
  }
  for (const x of [-0, 5e-324, -1e-8, 65519.99, 65520, 1e308, Infinity, -Infinity]) {
    assertEquals(float16Bits(x), numberToFloat16(x), String(x));
  }
  assertEquals(float16Value(float16Bits(NaN)), NaN);
});
