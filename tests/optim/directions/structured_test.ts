import { assert, assertAlmostEquals } from "@std/assert";
import {
  blockwiseZo,
  cosine,
  fillNoise,
  lozo,
  masterSeed,
  type Optimiser,
  Session,
  sparseMezo,
  sparseZo,
  stepSeed,
} from "../../../optim/mod.ts";
import { quantisedNet } from "../objectives.ts";
import { Sample } from "../sample.ts";

/** The scales of the net as tensors of two layers: the first of 6 rows and 2 groups, `[group][row]`. */
const tensors = [
  { name: "blk.0.ffn_up.weight", count: 12, width: 6, layer: 0 },
  { name: "blk.1.ffn_down.weight", count: 2, layer: 1 },
];
const steps = 4000;
const learningRate = cosine(4e-4, { total: steps });
const blocks = { by: "layer", count: 2 } as const;

/** What each rule may leave of the loss; with a quarter of the scales frozen more is left. */
const rules: Record<string, [rule: Optimiser, left: number]> = {
  "lozo of rank 1": [lozo({ rank: 1, resample: 10, learningRate }), 0.05],
  "lozo of rank 4": [lozo({ rank: 4, learningRate }), 0.05],
  "blocks in turn": [blockwiseZo({ blocks, learningRate }), 0.05],
  "all blocks": [blockwiseZo({ blocks: { ...blocks, order: "all" }, learningRate }), 0.05],
  "random masks, global budget": [
    sparseZo({ sparsity: 0.4, resample: 10, budget: "global", learningRate }),
    0.05,
  ],
  "the small scales": [sparseMezo({ sparsity: 0.25, learningRate }), 0.5],
  "the scales that are small at the time": [
    sparseMezo({ sparsity: 0.25, resample: 20, learningRate }),
    0.5,
  ],
};

Deno.test("scales of a quantised net, by structured directions: every rule comes down", async (t) => {
  const { loss, start } = quantisedNet();
  const before = loss(start);
  for (const [name, [optimiser, left]] of Object.entries(rules)) {
    await t.step(name, () => {
      const session = new Session({ parameters: start, tensors, optimiser, seed: 4 });
      for (let step = 0; step < steps; step++) session.tell(session.ask().map(loss));
      const after = loss(session.parameters()) / before;
      assert(after < left, `${name}: ${after} of the loss is left`);
    });
  }
});

Deno.test("signs lie on the sphere of radius sqrt(d), normal directions within 1 / sqrt(2 d) of it", () => {
  const d = 1024;
  const spread = new Sample();
  for (let step = 0; step < 2000; step++) {
    const seed = stepSeed(masterSeed(8), step, 0);
    const square = (law: "normal" | "rademacher") =>
      fillNoise(law, seed, 3, 0, new Float32Array(d)).reduce((sum, z) => sum + z * z, 0);
    if (step < 20) assert(square("rademacher") === d);
    spread.add((Math.sqrt(square("normal") / d) - 1) ** 2);
  }
  // The variance of a square is the kurtosis less 1: 1.875, of a root a quarter of it.
  assertAlmostEquals(spread.mean, 1.875 / 4 / d, 4.5 * spread.error + 0.01 / d);
});
