/**
 * Attention with its tangents against f64: the value, and differences of the oracle along the directions of queries, keys and values; of one
 * direction, whose value and tangent one kernel finds, and of several.
 */
import { attention } from "../../../kernels/mod.ts";
import { attention as oracle, type AttentionRow } from "../../reference/attention.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { assertClose, Bench, normals } from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** A prompt of 4, two candidates of 3 behind it, another sequence of 5, and padding that sees only itself. */
const packed: AttentionRow[] = [
  ...range(4).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 0 })),
  ...range(3).map(() => ({ prefixStart: 0, prefixEnd: 4, ownStart: 4 })),
  ...range(3).map(() => ({ prefixStart: 0, prefixEnd: 4, ownStart: 7 })),
  ...range(5).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 10 })),
  { prefixStart: 0, prefixEnd: 0, ownStart: 15 },
];

const shapes = [
  { heads: 6, kvHeads: 2, headSize: 8 },
  { heads: 3, kvHeads: 1, headSize: 64 },
  { heads: 4, kvHeads: 4, headSize: 12, window: 3, cap: 1.5 },
  { heads: 4, kvHeads: 2, headSize: 8, scale: 0.3, window: 2 },
  // Wider than what one kernel finds.
  { heads: 1, kvHeads: 1, headSize: 132 },
];

for (const directions of [1, 2]) {
  Deno.test(`attention with tangents along ${directions === 1 ? "one direction" : "several directions"}`, async () => {
    const random = randomNumbers(7 + directions);
    const rows = packed.length;
    for (const { heads, kvHeads, headSize, ...options } of shapes) {
      using bench = new Bench(gpu);
      const branches = directions + 1;
      const [q, k, v] = [heads, kvHeads, kvHeads].map((count, i) =>
        normals(branches * rows * count * headSize, random, i === 2 ? 1 : 2)
      );
      const context = contextOf(bench, { rows }, branches, {
        prefixStart: packed.map((r) => r.prefixStart),
        prefixEnd: packed.map((r) => r.prefixEnd),
        ownStart: packed.map((r) => r.ownStart),
        slots: range(rows),
      });
      const y = bench.graph.withTangents(directions, () =>
        attention(
          context,
          bench.value("q", q),
          bench.value("k", k),
          bench.value("v", v),
          { heads, keyValueHeads: kvHeads, headDimension: headSize, ...options },
        ));
      const [actual] = await bench.run(y);
      const size = rows * heads * headSize;
      const at = (step: number, direction: number) => {
        const [movedQ, movedK, movedV] = [q, k, v].map((all) => {
          const own = all.length / branches;
          return Float64Array.from(
            { length: own },
            (_, i) => all[i] + step * all[direction * own + i],
          );
        });
        const shape = { branches: 1, heads, kvHeads, headSize, ...options };
        return oracle(shape, packed, movedQ, movedK, movedV);
      };
      const what = JSON.stringify({ heads, kvHeads, headSize, ...options });
      assertClose(actual.subarray(0, size), at(0, 0), `value of ${what}`);
      const step = 1e-4;
      for (let d = 1; d <= directions; d++) {
        const [after, before] = [at(step, d), at(-step, d)];
        const expected = after.map((value, i) => (value - before[i]) / (2 * step));
        assertClose(actual.subarray(d * size, (d + 1) * size), expected, `tangent ${d} of ${what}`);
      }
    }
  });
}
