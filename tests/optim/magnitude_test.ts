import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  applyRecord,
  completeMagnitude,
  decayOffsets,
  frozenOffset,
  magnitudeMask,
  masterSeed,
  optimiser,
  scaleBySchedule,
  Session,
  sparseMezo,
  spsa,
  stepSeed,
} from "../../optim/mod.ts";
import { random } from "./random.ts";

/** The same by sorting. */
function sorted(parts: readonly Float32Array[], density: number, take: string, global: boolean) {
  const marks = parts.map((values) => new Uint8Array(values.length));
  const mark = (which: readonly number[]) => {
    const all = which.flatMap((part) =>
      [...parts[part]].flatMap((value, i) =>
        Number.isNaN(value) ? [] : [{ part, i, size: Math.abs(value) }]
      )
    );
    const sign = take === "small" ? 1 : -1;
    all.sort((a, b) => sign * (a.size - b.size));
    for (const { part, i } of all.slice(0, Math.round(density * all.length))) marks[part][i] = 1;
  };
  if (global) mark([...parts.keys()]);
  else parts.forEach((_, part) => mark([part]));
  return marks;
}

Deno.test("a mask by magnitude is what sorting gives, to the element, ties in order", () => {
  const next = random(3);
  for (let trial = 0; trial < 60; trial++) {
    const parts = [1, 7, 64, 333].map((n) =>
      Float32Array.from({ length: n }, () => {
        const kind = next();
        if (kind < 0.1) return NaN;
        if (kind < 0.4) return Math.floor(4 * next()) / 8 - 0.25;
        return (next() - 0.5) * 10 ** (-44 * next());
      })
    );
    for (const take of ["small", "large"] as const) {
      for (const budget of ["tensor", "global"] as const) {
        const density = [1, 0.5, 0.1, next() + 1e-9][trial % 4];
        assertEquals(
          magnitudeMask({ density, take, budget }, parts),
          sorted(parts, density, take, budget === "global"),
        );
      }
    }
  }
});

Deno.test("frozen elements are not looked along, not moved, not decayed, and keep their value", () => {
  const parameters = [0.5, -0.1, 3, 0, -2, 0.2];
  const rule = optimiser({
    name: "masked",
    estimator: spsa({ epsilon: 0.25 }),
    transformations: [scaleBySchedule(0.1), decayOffsets(2 ** -4, { bits: 4 })],
    magnitude: { density: 0.5, take: "large" },
    distribution: "rademacher",
  });
  const session = new Session({ parameters, optimiser: rule });
  for (let step = 0; step < 4; step++) {
    for (const point of session.ask()) {
      assertEquals(
        [1, 3, 5].map((i) => point[i]),
        [1, 3, 5].map((i) => Math.fround(parameters[i] || frozenOffset)),
      );
    }
    session.tell([1, 2]);
  }
  assertEquals(
    [...session.offsets].map((w) => w === frozenOffset),
    [0, 1, 0, 1, 0, 1].map(Boolean),
  );
  assert([0, 2, 4].every((i) => session.parameters()[i] !== Math.fround(parameters[i])));
  const offsets = new Float32Array([frozenOffset, 0, frozenOffset]);
  const record = { seeds: [stepSeed(masterSeed(1), 0, 0)], coefficients: [0.5] };
  applyRecord(rule, record, { id: 1, offsets });
  assertEquals([offsets[0], offsets[2], Math.abs(offsets[1])], [frozenOffset, frozenOffset, 0.5]);
});

Deno.test("nothing but zero is changed by what a frozen offset holds", () => {
  for (const base of [2 ** -24, -0.01, 65504, 6e-8]) {
    assertEquals(Math.fround(base + frozenOffset), Math.fround(base));
  }
  assertEquals(Math.fround(1 + frozenOffset), 1);
});

Deno.test("sparseMezo: shares are those asked for, over each tensor or all", () => {
  const next = random(4);
  const parameters = Float32Array.from(
    { length: 1000 },
    (_, i) => (next() - 0.5) * (i < 500 ? 1 : 9),
  );
  const tensors = [{ name: "a", count: 500 }, { name: "b", count: 500 }];
  const trained = (budget: "tensor" | "global") => {
    const { offsets } = new Session({
      parameters,
      tensors,
      optimiser: sparseMezo({ sparsity: 0.8, budget }),
    });
    const count = (from: number) => offsets.slice(from, from + 500).filter((w) => w === 0).length;
    return [count(0), count(500)];
  };
  assertEquals(trained("tensor"), [100, 100]);
  const [a, b] = trained("global");
  assertEquals(a + b, 200);
  // Sizes are uniform, of the second tensor over nine times the range: nine of ten small ones are of the first.
  assertAlmostEquals(a, 180, 4.5 * Math.sqrt(200 * 0.9 * 0.1));
  for (
    const wrong of [{ density: 0 }, { density: 1.1 }, { density: 0.5, take: "some" }, {
      density: 0.5,
      budget: "layer",
    }]
  ) {
    assertThrows(() => completeMagnitude(wrong as never), RangeError, "magnitude");
  }
});
