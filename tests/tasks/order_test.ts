import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { batchOrder } from "../../tasks/order.ts";
import { permutation } from "../../tasks/permutation.ts";
import { scaledWord } from "../../tasks/scaled_word.ts";
import { random } from "../models/tokenizers/tokenizer_mutate.ts";

const lengths = Array.from({ length: 103 }, (_, i) => (i * 37) % 101);
const variants = [
  { count: 103, batchSize: 8, seed: 5 },
  { count: 103, batchSize: 8, seed: 5, lengths, pool: 4 },
  { count: 103, batchSize: 200, seed: 5 },
  { count: 1, batchSize: 1 },
];

for (const [i, options] of variants.entries()) {
  Deno.test(`every example comes once an epoch (${i + 1})`, () => {
    const order = batchOrder(options);
    const epochs = [0, 1, 2].map((epoch) =>
      Array.from(
        { length: order.stepsPerEpoch },
        (_, step) => order.batch(epoch * order.stepsPerEpoch + step),
      )
    );
    for (const epoch of epochs) {
      assertEquals(
        epoch.flat().toSorted((a, b) => a - b),
        Array.from({ length: options.count }, (_, k) => k),
      );
      assert(epoch.every((batch) => batch.length <= options.batchSize));
      assertEquals(
        epoch.filter((batch) => batch.length < Math.min(options.batchSize, options.count)).length,
        options.count === 103 && options.batchSize === 8 ? 1 : 0,
      );
    }
    if (options.count > 1) assertNotEquals(epochs[0].flat(), epochs[1].flat());
  });

  Deno.test(`a resumed order is the same from any step (${i + 1})`, () => {
    const whole = batchOrder(options);
    const batches = Array.from({ length: 40 }, (_, step) => whole.batch(step));
    for (const start of [0, 1, 13, 25]) {
      const resumed = batchOrder(options);
      for (let step = start; step < 40; step++) assertEquals(resumed.batch(step), batches[step]);
    }
  });
}

Deno.test("batches by length are even, and still change with the epoch", () => {
  const spread = (order: { batch(step: number): number[] }): number =>
    Array.from({ length: 12 }, (_, step) => {
      const sizes = order.batch(step).map((index) => lengths[index]);
      return Math.max(...sizes) - Math.min(...sizes);
    }).reduce((sum, value) => sum + value, 0) / 12;
  const options = { count: 103, batchSize: 8, seed: 2 };
  assert(spread(batchOrder({ ...options, lengths })) < 10);
  assert(spread(batchOrder(options)) > 50);
});

/** How much each example weighs over epochs, where every step weighs the same; 1 is even. */
function weights(order: ReturnType<typeof batchOrder>, count: number, epochs: number) {
  const all = new Float64Array(count);
  const steps = epochs * order.stepsPerEpoch;
  for (let step = 0; step < steps; step++) {
    const batch = order.batch(step);
    for (const index of batch) all[index] += count / steps / batch.length;
  }
  return all;
}

for (const [count, batchSize] of [[17, 16], [40, 16], [50, 7], [5, 8]] as const) {
  Deno.test(`examples weigh alike, long or short: ${count} in batches of ${batchSize}`, () => {
    const lengths = Array.from({ length: count }, (_, i) => i + 1);
    const order = batchOrder({ count, batchSize, seed: 1, lengths });
    // After as many epochs as there are examples each was left over as often as any.
    for (const weight of weights(order, count, count)) assert(Math.abs(weight - 1) < 1e-9);
    // And at any other time at most once more.
    const size = count % batchSize;
    const once = size === 0 || count < batchSize ? 0 : count / size / 60 / order.stepsPerEpoch;
    const some = weights(order, count, 60);
    assert(Math.max(...some) - Math.min(...some) <= once + 1e-9);
    // Who that is changes with the seed, and with the turn.
    const short = (seed: number, turn: number) => {
      const other = batchOrder({ count, batchSize, seed, lengths });
      return Array.from(
        { length: count * order.stepsPerEpoch },
        (_, step) => other.batch(turn * count * order.stepsPerEpoch + step),
      ).filter((batch) => batch.length === size);
    };
    if (size > 0 && count > batchSize) {
      assertNotEquals(short(1, 0), short(2, 0));
      assertNotEquals(short(1, 0), short(1, 1));
      assertEquals(short(1, 0).length, count);
    }
  });
}

Deno.test("runs from before go on with the longest in the smaller batch", () => {
  const lengths = Array.from({ length: 17 }, (_, i) => i + 1);
  const old = batchOrder({ count: 17, batchSize: 16, seed: 1, lengths, leftOver: "longest" });
  for (let epoch = 0; epoch < 20; epoch++) {
    const both = [old.batch(2 * epoch), old.batch(2 * epoch + 1)];
    assertEquals(both.filter((batch) => batch.length === 1), [[16]]);
  }
  // The bits of that order are those that earlier versions had.
  const before = batchOrder({
    count: 7,
    batchSize: 3,
    seed: 5,
    pool: 2,
    leftOver: "longest",
    lengths: [3, 1, 4, 1, 5, 9, 2],
  });
  assertEquals([0, 1, 2].map((step) => before.batch(step)), [[3, 1, 0], [6], [2, 4, 5]]);
  assertThrows(
    () => batchOrder({ count: 1, batchSize: 1, leftOver: "shortest" as never }),
    RangeError,
    "shortest",
  );
});

Deno.test("a batch that a caller changes does not change the order", () => {
  const order = batchOrder({ count: 4, batchSize: 2 });
  const first = order.batch(0);
  order.batch(0).fill(9);
  assertEquals(order.batch(0), first);
});

Deno.test("seeds, uses and rounds give other permutations; each place is as likely", () => {
  const base = permutation(50, 1, "epoch", 0);
  assertNotEquals(permutation(50, 2, "epoch", 0), base);
  assertNotEquals(permutation(50, 1, "split", 0), base);
  assertNotEquals(permutation(50, 1, "epoch", 1), base);
  const counts = new Array(8).fill(0);
  for (let round = 0; round < 4000; round++) counts[permutation(8, 3, "epoch", round).indexOf(0)]++;
  // Chi-square with 7 degrees of freedom; 24.3 is exceeded once in 1,000.
  const chiSquare = counts.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
  assert(chiSquare < 24.3, `${chiSquare}`);
});

Deno.test("orders without sense are refused", () => {
  assertThrows(() => batchOrder({ count: 0, batchSize: 1 }), RangeError, "count is 0");
  assertThrows(() => batchOrder({ count: 2, batchSize: 1.5 }), RangeError, "1.5");
  assertThrows(
    () => batchOrder({ count: 2, batchSize: 1, lengths: [1] }),
    TypeError,
    "1 lengths for 2",
  );
  assertThrows(() => batchOrder({ count: 2, batchSize: 1 }).batch(-1), RangeError, "-1");
  assertThrows(() => batchOrder({ count: 2, batchSize: 1, seed: -1 }), RangeError);
  assertThrows(() => permutation(2 ** 28 + 1, 0, "epoch"), RangeError);
});

Deno.test("a word becomes one of so many numbers exactly, of more than 2^21 too", () => {
  const next = random(4);
  for (let i = 0; i < 20_000; i++) {
    const word = Math.floor(next() * 2 ** 32);
    const count = 1 + Math.floor(next() * 2 ** (i % 37));
    assertEquals(scaledWord(word, count), Number(BigInt(word) * BigInt(count) >> 32n));
  }
  for (const word of [0, 1, 0xffff, 0x10000, 2 ** 32 - 1]) {
    assertEquals(scaledWord(word, 2 ** 28), Number(BigInt(word) << 28n >> 32n));
  }
});
