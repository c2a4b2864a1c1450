import { assert, assertEquals } from "@std/assert";
import { assignSlots, type Lifetime } from "../../../kernels/device/assign_slots.ts";
import { randomNumbers } from "../../support/random_llama.ts";

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** The most bytes that live at once, which no assignment undercuts. */
function most(results: readonly Lifetime[]): number {
  const at = (i: number) =>
    sum(results.filter(({ first, last }) => first <= i && i <= last).map(({ bytes }) => bytes));
  return Math.max(...results.map(({ first }) => at(first)));
}

Deno.test("results that live at once never share a slot, and each fits its own", () => {
  const random = randomNumbers(5);
  const below = (end: number) => Math.floor(random() * end);
  for (let round = 0; round < 50; round++) {
    const results = Array.from({ length: 60 }, () => {
      const first = below(100);
      return { bytes: 16 * (1 + below(8)), first, last: first + below(20) };
    });
    const { slots, slotOf } = assignSlots(results);
    results.forEach((one, i) => {
      assert(slots[slotOf[i]] >= one.bytes);
      results.slice(0, i).forEach((other, j) => {
        const apart = other.last < one.first || one.last < other.first;
        assert(apart || slotOf[i] !== slotOf[j], `${i} and ${j} of round ${round}`);
      });
    });
    const taken = sum(slots);
    assert(taken >= most(results) && taken < sum(results.map(({ bytes }) => bytes)) / 2);
  }
});

Deno.test("results of one size take as many slots as live at once", () => {
  const random = randomNumbers(6);
  const results = Array.from({ length: 200 }, () => {
    const first = Math.floor(random() * 500);
    return { bytes: 64, first, last: first + Math.floor(random() * 30) };
  });
  assertEquals(sum(assignSlots(results).slots), most(results));
});

Deno.test("checkpoints of a narrow width leave the wide slots to each block", () => {
  const blocks = Array.from({ length: 8 }, (_, i) => [
    { bytes: 400, first: 10 * i, last: 10 * i + 3 },
    { bytes: 1100, first: 10 * i + 4, last: 10 * i + 6 },
    // The input of the next block, kept to the end.
    { bytes: 400, first: 10 * i + 7, last: 100 },
  ]).flat();
  const { slots } = assignSlots(blocks);
  assertEquals(sum(slots), most(blocks));
});
