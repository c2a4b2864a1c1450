/**
 * Divisors of rotary frequencies and the scaling that has them.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { ropeFactorsOf, type RopeScaling } from "../../../models/mod.ts";
import type { LlamaConfig } from "../../../models/architectures/llama.ts";
import { scalingOfRopeFactors } from "../../../models/rope_scaling.ts";
import { ropeFrequencies } from "../../../models/rope_table.ts";
import { llama3Factors } from "../../support/model_kinds.ts";
import { randomNumbers } from "../../support/random_llama.ts";

type Llama3Scaling = Required<
  Pick<
    RopeScaling,
    "type" | "factor" | "lowFrequencyFactor" | "highFrequencyFactor" | "originalContext"
  >
>;

const config = (
  headDimension: number,
  ropeTheta: number,
  context: number,
  ropeScaling?: RopeScaling,
): LlamaConfig => ({
  architecture: "llama",
  hidden: headDimension,
  layers: 1,
  heads: 1,
  keyValueHeads: 1,
  headDimension,
  feedForward: 4,
  vocabulary: 4,
  context,
  rmsEpsilon: 1e-5,
  ropeTheta,
  ropeInterleaved: false,
  ropeScaling,
  tiedHead: true,
});

/** The arithmetic of llama.cpp's converter, which is torch's in f32, step by step. */
function converterFactors(
  { headDimension, ropeTheta }: LlamaConfig,
  { factor, lowFrequencyFactor, highFrequencyFactor, originalContext }: Llama3Scaling,
): Float32Array {
  const f = Math.fround;
  const [low, high] = [lowFrequencyFactor, highFrequencyFactor];
  return Float32Array.from({ length: headDimension / 2 }, (_, i) => {
    const frequency = f(1 / f(ropeTheta ** f(f(2 * i) / headDimension)));
    const wavelength = f(f(2 * Math.PI) / frequency);
    if (wavelength < originalContext / high) return 1;
    if (wavelength > originalContext / low) return factor;
    const smooth = f(f(f(originalContext / wavelength) - low) / f(high - low));
    return f(1 / f(f(f(1 - smooth) / factor) + smooth));
  });
}

const scaling = (
  factor: number,
  lowFrequencyFactor: number,
  highFrequencyFactor: number,
  originalContext: number,
): Llama3Scaling => ({
  type: "llama3",
  factor,
  lowFrequencyFactor,
  highFrequencyFactor,
  originalContext,
});

Deno.test("the divisors of a configuration are those that llama.cpp's converter writes", () => {
  assertEquals(
    ropeFactorsOf(config(16, 10000, 256, scaling(8, 1, 4, 32))),
    llama3Factors(),
  );
  assertEquals(ropeFactorsOf(config(16, 10000, 256)), undefined);
  assertEquals(ropeFactorsOf(config(16, 10000, 256, { type: "linear", factor: 2 })), undefined);
});

Deno.test("the published scalings are found again in what the converter makes of them", () => {
  const published: [LlamaConfig, Llama3Scaling][] = [
    [config(128, 5e5, 131072), scaling(8, 1, 4, 8192)], // Llama 3.1
    [config(64, 5e5, 131072), scaling(32, 1, 4, 8192)], // Llama 3.2 1B
    [config(128, 5e5, 131072), scaling(32, 1, 4, 8192)], // Llama 3.2 3B
    [config(16, 1e4, 512), scaling(8, 1, 4, 64)],
  ];
  for (const [model, meant] of published) {
    assertEquals(scalingOfRopeFactors(model, converterFactors(model, meant)), meant);
  }
});

Deno.test("whatever the borders, a scaling is found that has the same frequencies", () => {
  const random = randomNumbers(23);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)];
  for (let i = 0; i < 300; i++) {
    const low = pick([1, 1, 2, 0.5, 1.25, 3]);
    const meant = scaling(
      pick([2, 4, 8, 16, 32]),
      low,
      low * pick([2, 3, 4, 8, 32]),
      pick([32, 64, 100, 512, 2048, 8192, 12345]),
    );
    const model = config(pick([16, 32, 64, 80, 128]), pick([1e4, 5e5, 1e6]), 4096);
    const factors = converterFactors(model, meant);
    const text = JSON.stringify([model.headDimension, model.ropeTheta, meant]);
    const found = scalingOfRopeFactors(model, factors);
    const wanted = ropeFrequencies(model, factors);
    ropeFrequencies({ ...model, ropeScaling: found }).forEach((frequency, pair) => {
      const off = Math.abs(frequency / wanted[pair] - 1);
      assertLess(off, 1e-4, `${text} became ${JSON.stringify(found)}: pair ${pair}`);
    });
  }
});

Deno.test("equal divisors are none or linear; others are refused", () => {
  const model = config(16, 1e4, 512);
  const ones = new Float32Array(8).fill(1);
  const fours = new Float32Array(8).fill(4);
  assertEquals(scalingOfRopeFactors(model, ones), undefined);
  assertEquals(scalingOfRopeFactors(model, fours), { type: "linear", factor: 4 });
  const linear = config(16, 1e4, 512, { type: "linear", factor: 2 });
  assertEquals(scalingOfRopeFactors(linear, ones), { type: "linear", factor: 2 });
  assertEquals(scalingOfRopeFactors(linear, fours), { type: "linear", factor: 8 });
  assertThrows(
    () => scalingOfRopeFactors(linear, llama3Factors()),
    RangeError,
    "not those of a llama3 or linear rope_scaling; write a .gguf file instead",
  );
  // One factor off by a part in a thousand is another model.
  const near = converterFactors(config(128, 5e5, 131072), scaling(8, 1, 4, 8192));
  const between = near.findIndex((value) => value > 1 && value < 8);
  assert(between > 0);
  near[between] *= 1.001;
  assertThrows(() => scalingOfRopeFactors(config(128, 5e5, 131072), near), RangeError);
});
