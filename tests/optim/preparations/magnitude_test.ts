import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  applyRecord,
  decayOffsets,
  drawMask,
  type HostStep,
  magnitudeMask,
  masterSeed,
  optimiser,
  scaleBySchedule,
  Session,
  sparseMezo,
  spsa,
  stepSeed,
} from "../../../optim/mod.ts";
import { random } from "../random.ts";
import { evenOut, frozenOffset, markFrozen } from "../../../optim/preparations/frozen.ts";
import { completeMagnitude } from "../../../optim/preparations/magnitude.ts";

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
  for (let trial = 0; trial < 64; trial++) {
    // Many are counted by their bits.
    const parts = [1, 7, 64, trial < 60 ? 333 : 5000].map((n) =>
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
    const wrong of [
      { density: 0 },
      { density: 1.1 },
      { density: 0.5, take: "some" },
      { density: 0.5, budget: "layer" },
      { density: 0.5, keep: 0 },
    ]
  ) {
    assertThrows(() => completeMagnitude(wrong as never), RangeError, "magnitude");
  }
});

/** The bits of numbers. */
const bitsOf = (values: Float32Array) => new Uint32Array(values.slice().buffer);

Deno.test("a mask that is drawn anew goes by the values as they are, thaws to the bit, and again changes nothing", () => {
  const next = random(8);
  for (const form of ["absolute", "relative"] as const) {
    const count = 500;
    const sizes = () => (next() - 0.5) * 2 ** (20 * next() - 18);
    const bases = Float32Array.from({ length: count }, (_, i) => i % 50 === 0 ? NaN : sizes());
    evenOut(bases, new Uint8Array(count));
    const offsets = Float32Array.from({ length: count }, (_, i) => i % 7 === 0 ? 0 : sizes());
    evenOut(offsets, new Uint8Array(count));
    // On the limits that keep the sign too: a frozen offset does not cross them.
    for (let i = 1; i < 20; i++) offsets[i] = form === "absolute" ? -bases[i] : -1;
    const before = offsets.slice();
    const tensor = { name: "w", form, bases, offsets };
    const marks = new Uint8Array(count);
    for (const take of ["small", "large"] as const) {
      const magnitude = { density: 0.4, take, keep: 3 };
      const tuned = bases.map((base, i) =>
        form === "absolute"
          ? Math.fround(base + before[i])
          : Math.fround(base * Math.fround(1 + before[i]))
      );
      const [expected] = sorted([tuned], 0.4, take, false);
      for (let again = 0; again < 2; again++) {
        drawMask(magnitude, [tensor]);
        markFrozen("bit", offsets, marks);
        assertEquals(marks, expected.map((trained) => 1 - trained));
      }
      offsets.forEach((w, i) => {
        assert(Math.abs(w - before[i]) <= Math.max(frozenOffset, Math.abs(before[i]) * 2 ** -23));
        assert(before[i] === 0 || Math.abs(w) <= Math.abs(before[i]), "frozen away from zero");
      });
    }
    drawMask({ density: 1, keep: 3 }, [{ ...tensor, bases: new Float32Array(count) }]);
    assertEquals(bitsOf(offsets), bitsOf(before));
  }
});

Deno.test("odd bits are rounded to even ones, to the nearest, without drift", () => {
  const next = random(9);
  const values = Float32Array.from({ length: 20_000 }, () => 1 + next());
  const made = values.slice();
  evenOut(made, new Uint8Array(values.length));
  let [up, down] = [0, 0];
  made.forEach((w, i) => {
    assert(Math.abs(w - values[i]) <= 2 ** -23);
    if (w > values[i]) up++;
    if (w < values[i]) down++;
  });
  assert(bitsOf(made).every((bits) => bits % 2 === 0));
  assertAlmostEquals(up / (up + down), 0.5, 4.5 / Math.sqrt(4 * (up + down)));
  const kept = values.slice();
  evenOut(kept, new Uint8Array(values.length).fill(1));
  assertEquals(kept, values);
});

Deno.test("sparseMezo, decided anew: others move after so many steps, and a session resumed within has the same bits", () => {
  const parameters = [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7];
  const rule = sparseMezo({
    ...{ sparsity: 0.5, resample: 3, learningRate: 0.1, distribution: "rademacher" },
    ...{ form: "relative", projection: "keep-sign" },
  });
  const loss = (x: ArrayLike<number>) => -3 * Array.from(x).reduce((sum, v) => sum + v, 0);
  const moved = (a: Float32Array, b: Float32Array) =>
    [...a.keys()].filter((i) => Math.abs(a[i] - b[i]) > 1e-4);
  const session = new Session({ parameters, optimiser: rule, seed: 3 });
  const made: HostStep[] = [];
  const trained: number[][] = [];
  for (let step = 0; step < 12; step++) {
    const points = session.ask();
    const before = session.parameters();
    trained.push(moved(points[0], before));
    made.push(session.tell(points.map(loss)));
    assertEquals(moved(session.parameters(), before).filter((i) => !trained[step].includes(i)), []);
    if (step % 3 > 0) assertEquals(trained[step], trained[step - 1]);
    else {
      const sizes = before.map(Math.abs);
      const smallest = [...sizes.keys()].sort((a, b) => sizes[a] - sizes[b]).slice(0, 4);
      assertEquals(trained[step], smallest.sort());
    }
  }
  assert(new Set(trained.map(String)).size > 2, "the mask never changed");
  for (const broken of [2, 3, 7]) {
    const resumed = new Session({ parameters, optimiser: rule, seed: 3 });
    for (const record of made.slice(0, broken)) resumed.replay(record);
    while (resumed.step < 12) resumed.tell(resumed.ask().map(loss));
    assertEquals(bitsOf(resumed.offsets), bitsOf(session.offsets));
  }
});
