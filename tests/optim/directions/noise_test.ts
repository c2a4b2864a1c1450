import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  type Distribution,
  fillNoise,
  masterSeed,
  noiseAt,
  type Seed,
  stepSeed,
  tensorId,
  threefry2x32,
} from "../../../optim/mod.ts";
import { laws } from "../../../optim/directions/noise.ts";

const count = 1 << 19;
const master = masterSeed(20260101);

function sample(distribution: Distribution, seed: Seed, tensor = 1, n = count): Float32Array {
  return fillNoise(distribution, seed, tensor, 0, new Float32Array(n));
}

function mean(values: Float32Array, power = 1): number {
  let sum = 0;
  for (const value of values) sum += value ** power;
  return sum / values.length;
}

/** The correlation of two samples of unit variance, in standard deviations of what independence gives. */
function sigmas(a: Float32Array, b: Float32Array): number {
  const n = Math.min(a.length, b.length);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[i] * b[i];
  return Math.abs(sum) / Math.sqrt(n);
}

/** Binomial(16, 1/2) shifted and scaled, by its exact probabilities. */
function binomialMoment(power: number): number {
  let moment = 0;
  let ways = 1;
  for (let k = 0; k <= 16; k++) {
    moment += ways / 65536 * ((k - 8) / 2) ** power;
    ways = ways * (16 - k) / (k + 1);
  }
  return moment;
}

Deno.test("threefry2x32 gives Random123's published answers for 13 rounds", () => {
  const ones = 0xffffffff;
  assertEquals(threefry2x32([0, 0], [0, 0]), [0x9d1c5ec6, 0x8bd50731]);
  assertEquals(threefry2x32([ones, ones], [ones, ones]), [0xfd36d048, 0x2d17272c]);
  assertEquals(
    threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]),
    [0xba3e4725, 0xf27d669e],
  );
});

Deno.test("an element is read from its lane as described", () => {
  const seed = stepSeed(master, 5, 0);
  for (const index of [0, 1, 2, 3, 4, 77, 1023, 0x80000001, 0xffffffff]) {
    const words = threefry2x32(seed, [Math.floor(index / 4), 0xdeadbeef]);
    const lanes = words.flatMap((word) => [word & 0xffff, word >>> 16]);
    const lane = lanes[index % 4];
    const bits = lane.toString(2).replaceAll("0", "").length;
    assertEquals(noiseAt("normal", seed, 0xdeadbeef, index), (bits - 8) / 2);
    assertEquals(noiseAt("rademacher", seed, 0xdeadbeef, index), lane % 2 === 1 ? 1 : -1);
  }
});

Deno.test("fillNoise agrees with noiseAt wherever it starts and however it is split", () => {
  for (const law of laws) {
    const seed = stepSeed(master, 9, 1);
    const whole = fillNoise(law, seed, 3, 0, new Float32Array(64));
    assertEquals([...whole], [...whole.keys()].map((i) => noiseAt(law, seed, 3, i)));
    for (let start = 0; start < 9; start++) {
      for (let length = 0; length < 19; length++) {
        assertEquals(
          fillNoise(law, seed, 3, start, new Float32Array(length)),
          whole.slice(start, start + length),
        );
      }
    }
    const high = fillNoise(law, seed, 3, 2 ** 32 - 6, new Float32Array(6));
    assertEquals(high[5], noiseAt(law, seed, 3, 2 ** 32 - 1));
    assertEquals(high[1], noiseAt(law, seed, 3, 2 ** 32 - 5));
  }
});

Deno.test("samples have the moments of their law within five standard errors", () => {
  const seed = stepSeed(master, 0, 0);
  const normal = sample("normal", seed);
  assertEquals([1, 2, 3, 4].map(binomialMoment), [0, 1, 0, 2.875]);
  for (const power of [1, 2, 3, 4]) {
    const expected = binomialMoment(power);
    const error = Math.sqrt((binomialMoment(2 * power) - expected ** 2) / count);
    const found = mean(normal, power);
    assert(Math.abs(found - expected) < 5 * error, `moment ${power}: ${found}, not ${expected}`);
  }
  const signs = sample("rademacher", seed);
  assert(signs.every((value) => value === 1 || value === -1));
  assert(Math.abs(mean(signs)) < 5 / Math.sqrt(count));
});

Deno.test("levels come in binomial proportions (chi-square, 16 degrees of freedom)", () => {
  const counts = new Array<number>(17).fill(0);
  for (const z of sample("normal", stepSeed(master, 1, 0), 2)) counts[z * 2 + 8]++;
  let ways = 1;
  let chiSquare = 0;
  for (let k = 0; k <= 16; k++) {
    const expected = ways / 65536 * count;
    chiSquare += (counts[k] - expected) ** 2 / expected;
    ways = ways * (16 - k) / (k + 1);
  }
  // The 99.99 % quantile is 46.
  assert(chiSquare < 46, `chi-square ${chiSquare}`);
});

Deno.test("neighbouring indexes, tensors, steps, directions and seeds are uncorrelated", () => {
  for (const distribution of ["normal", "rademacher"] as const) {
    const z = sample(distribution, stepSeed(master, 0, 0));
    const others: Record<string, Float32Array> = {
      "the next tensor": sample(distribution, stepSeed(master, 0, 0), 2),
      "a named tensor": sample(distribution, stepSeed(master, 0, 0), tensorId("output.weight")),
      "the next step": sample(distribution, stepSeed(master, 1, 0)),
      "a far step": sample(distribution, stepSeed(master, 0xffffffff, 0)),
      "the next direction": sample(distribution, stepSeed(master, 0, 1)),
      "the next master seed": sample(distribution, stepSeed(masterSeed(20260102), 0, 0)),
      "a master seed 2^32 on": sample(
        distribution,
        stepSeed(masterSeed(20260101 + 2 ** 32), 0, 0),
      ),
    };
    for (const lag of [1, 2, 3, 4, 5, 8, 128, 4096]) others[`lag ${lag}`] = z.subarray(lag);
    for (const [name, other] of Object.entries(others)) {
      const found = sigmas(z, other);
      assert(found < 4.5, `${distribution}, ${name}: ${found} standard deviations`);
      if (distribution === "rademacher") continue;
      // Squares too: levels could be tied to each other without being correlated.
      const scale = 1 / Math.sqrt(1.875);
      const squares = [z, other].map((values) => values.map((v) => (v * v - 1) * scale));
      const tied = sigmas(squares[0], squares[1]);
      assert(tied < 4.5, `${distribution}, squares of ${name}: ${tied} standard deviations`);
    }
  }
});

Deno.test("the first elements of 20,000 steps are a sample of the law as well", () => {
  const n = 20000;
  const firsts = Float32Array.from(
    { length: n },
    (_, step) => noiseAt("normal", stepSeed(master, step, 0), 1, 0),
  );
  assert(Math.abs(mean(firsts)) < 5 / Math.sqrt(n));
  assert(Math.abs(mean(firsts, 2) - 1) < 5 * Math.sqrt(1.875 / n));
  assert(sigmas(firsts, firsts.subarray(1)) < 4.5);
});

Deno.test("seeds of steps and directions do not collide", () => {
  const seen = new Set<string>();
  for (let step = 0; step < 2000; step++) {
    for (let direction = 0; direction < 4; direction++) {
      seen.add(stepSeed(master, step, direction).join());
    }
  }
  assertEquals(seen.size, 8000);
});

Deno.test("seeds are exact over the safe integers", () => {
  assertEquals(masterSeed(0), [0, 0]);
  assertEquals(masterSeed(2 ** 32 + 5), [5, 1]);
  assertEquals(masterSeed(Number.MAX_SAFE_INTEGER), [0xffffffff, 0x1fffff]);
  assertEquals(stepSeed([1, 2], 3, 4), threefry2x32([1, 2], [3, 0x80000004]));
  assertNotEquals(stepSeed([1, 2], 3, 4), threefry2x32([1, 2], [3, 4]));
  for (const value of [-1, 0.5, NaN, 2 ** 53, Infinity]) {
    assertThrows(() => masterSeed(value), RangeError, String(value));
  }
  assertThrows(() => stepSeed([1, 2], 2 ** 32, 0), RangeError, "4294967296");
  assertThrows(() => stepSeed([1, 2], 0, 2 ** 31), RangeError, "2147483648");
});

Deno.test("noise outside 2^32 elements or of an unknown law is refused", () => {
  assertThrows(() => noiseAt("normal", [0, 0], 0, 2 ** 32), RangeError, "4294967296");
  assertThrows(() => noiseAt("normal", [0, 0], 0, -1), RangeError, "-1");
  assertThrows(
    () => fillNoise("normal", [0, 0], 0, 2 ** 32 - 3, new Float32Array(4)),
    RangeError,
    "2^32",
  );
  assertThrows(() => noiseAt("cauchy" as Distribution, [0, 0], 0, 0), RangeError, "cauchy");
});
