import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  fillNoise,
  gainsOf,
  masterSeed,
  noiseAt,
  qzoPlus,
  Session,
  stepSeed,
} from "../../../optim/mod.ts";
import { largestGain } from "../../../optim/directions/noise.ts";
import { completeGains } from "../../../optim/preparations/gains.ts";

Deno.test("gains: slopes to a power, powers of two, the same length of z in all", () => {
  const counts = [100, 400, 100, 3000];
  const squares = [64, 4, 1, 1];
  for (const power of [0.5, 1]) {
    const gains = gainsOf({ power }, squares, counts);
    // Each within half an octave of what the power says, up to one factor for all.
    const factors = gains.map((gain, i) => 2 ** gain / squares[i] ** (power / 2));
    assert(Math.max(...factors) / Math.min(...factors) <= 2, `power ${power}: ${gains}`);
    const length = gains.reduce((sum, gain, i) => sum + counts[i] * 4 ** gain, 0) / 3600;
    assert(length > 0.25 && length < 4, `power ${power}: mean square ${length}`);
  }
  assertEquals(gainsOf({ power: 0 }, squares, counts), [0, 0, 0, 0]);
  assertEquals(gainsOf({}, [0, 0], [1, 1]), [0, 0], "nothing is steep");
  assertEquals(gainsOf({ power: 1 }, [1, 0], [1, 1]), [0, -4], "the flattest is not forgotten");
  assertEquals(Math.max(...gainsOf({ power: 1 }, [1, 0], [1, 1e9])), 4);
  assertThrows(() => gainsOf({}, [1], [1, 2]), TypeError, "2 tensors");
  assertThrows(() => gainsOf({}, [NaN, 1], [1, 2]), TypeError, "slopes");
  for (const bad of [{ power: 1.5 }, { power: -1 }, { queries: 0 }, { epsilon: 0 }]) {
    assertThrows(() => completeGains(bad), RangeError, Object.keys(bad)[0]);
  }
});

Deno.test("gains: z is that of none times a power of two, in every law", () => {
  const seed = stepSeed(masterSeed(3), 5, 0);
  for (
    const law of ["normal", "rademacher", { dense: "normal", structure: "mask" }, {
      dense: "normal",
      structure: "lowRank",
    }] as const
  ) {
    const place = { width: 8 };
    const plain = fillNoise(law, seed, 7, 3, new Float32Array(23), place);
    const louder = fillNoise(law, seed, 7, 3, new Float32Array(23), { ...place, gain: -3 });
    assertEquals(louder, plain.map((z) => z / 8), JSON.stringify(law));
    assertEquals(
      noiseAt(law, seed, 7, 20, { ...place, gain: 2 }),
      plain[17] * 4,
      JSON.stringify(law),
    );
  }
  const beyond = { gain: largestGain + 1 };
  assertThrows(() => noiseAt("normal", seed, 7, 0, beyond), RangeError, "gain");
});

Deno.test("gains: a steep tensor among flat ones is come down faster", () => {
  // |g|^2 / tr(H) is 100 times as large in the first tensor as in the others.
  const tensors = [4, 60, 60, 60].map((count, i) => ({ name: `t${i}`, count }));
  const loss = (w: Float32Array) => {
    let sum = 0;
    w.forEach((x, i) => sum += i < 4 ? (x - 2) ** 2 / 2 : (x - 1.02) ** 2 / 2);
    return sum;
  };
  const after = (gains: number[]) => {
    const results = [1, 2, 3, 4, 5].map((seed) => {
      const session = new Session({
        parameters: new Array(184).fill(1),
        tensors: tensors.map((tensor, i) => ({ ...tensor, gain: gains[i] })),
        optimiser: qzoPlus({ learningRate: 0.25, gainPower: 0.5 }),
        seed,
      });
      const before = loss(session.parameters());
      for (let step = 0; step < 40; step++) session.tell(session.ask().map(loss));
      return loss(session.parameters()) / before;
    });
    return results.reduce((a, b) => a + b) / results.length;
  };
  const found = gainsOf({ power: 1 }, [4, 0.024, 0.024, 0.024], [4, 60, 60, 60]);
  assertEquals(found.map((gain) => gain > 1), [true, false, false, false]);
  const [with_, without] = [after(found), after([0, 0, 0, 0])];
  assert(with_ < 0.6 * without, `${with_} of the loss is left, without gains ${without}`);
  assertAlmostEquals(after([1, 1, 1, 1]), without, 0.2, "one gain for all matters little");
});
