import { assert, assertEquals, assertThrows } from "@std/assert";
import { random } from "../../tests/optim/random.ts";
import { agreement } from "./agreement.ts";

const next = random(5);
const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
/** Random walks, so that the points of a run are correlated like those of a loss curve. */
const group = (drift: number, runs = 5) =>
  Array.from({ length: runs }, () => {
    let at = 0;
    return Array.from({ length: 4 }, () => at += drift + normal());
  });

Deno.test("curves of one law are told apart as often as p says, those of another law mostly", () => {
  const trials = 300;
  const shares = (drift: number) => {
    let rejected = 0;
    for (let i = 0; i < trials; i++) if (agreement(group(0), group(drift)).p <= 0.05) rejected++;
    return rejected / trials;
  };
  const error = Math.sqrt(0.05 * 0.95 / trials);
  assert(shares(0) < 0.05 + 4.5 * error, `${shares(0)} of equal groups are told apart`);
  assert(shares(3) > 0.9, `only ${shares(3)} of unlike groups are told apart`);
});

Deno.test("the test by hand: two runs each, six ways to deal them", () => {
  const far = agreement([[1], [2]], [[10], [11]]);
  assertEquals(far.p, 2 / 6);
  assert(Math.abs(far.distance - 9) < 1e-9, `${far.distance}`);
  assertEquals(agreement([[1], [2]], [[1], [2]]), { p: 1, distance: 0, outside: [0, 4] });
  assertEquals(agreement([[0], [1], [2]], [[50], [51], [52]]).outside, [6, 6]);
  assertThrows(() => agreement([[1]], [[1], [2]]), RangeError, "1 with 2");
  assertThrows(() => agreement([[1], [2]], [[1], [2, 3]]), RangeError, "lengths");
});
