import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  type Adapter,
  describeAdapter,
  describedAdapter,
  Evaluator,
  initialValues,
  loraAdapter,
  type LoraOptions,
  packBatch,
} from "../../../models/mod.ts";
import { drawnTokens } from "../../../models/adapters/initial_values.ts";
import { masterSeed, tensorId } from "../../../optim/mod.ts";
import { threefry2x32 } from "../../../optim/directions/threefry.ts";
import { llamaLogits } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { withLora } from "../lora_oracle.ts";
import { choiceExamples, oracleLoss, smallShape } from "../small_model.ts";
import { openSmallBase } from "./small_base.ts";

const { gpu, base, weights, tokens } = await openSmallBase();

/** The adapter with random values in place of zeros. */
function filled(adapter: Adapter): Adapter {
  using model = base.withAdapter(adapter);
  const random = randomNumbers(3);
  const values = new Map(
    [...model.adapter!.tensors].map(([name, { rows, columns }]) =>
      [name, randomNormals(rows * columns, 0.2, random)] as const
    ),
  );
  return { ...adapter, values };
}

const variants: Record<string, LoraOptions> = {
  "queries and values": {},
  "all linear layers, an odd rank": { targets: "all-linear", rank: 5, alpha: 10 },
  "ranks and alphas by pattern, rank-stabilised": {
    targets: ["q_proj", "attn_output", "down_proj"],
    rankPattern: { "layers\\.1\\.mlp\\..*": 12 },
    alphaPattern: { q_proj: 3 },
    rslora: true,
  },
  "one layer, by a regular expression": { targets: ".*\\.(up|gate)_proj", layers: [1, 1] },
};

for (const [name, options] of Object.entries(variants)) {
  Deno.test(`logits with LoRA beside ${name} are the oracle's with the product added`, async () => {
    using model = base.withAdapter(filled(loraAdapter(base, options)));
    const expected = llamaLogits(smallShape, withLora(weights, model), tokens);
    const actual = await logitsOf(gpu, model, tokens);
    assert(relativeL2(actual, expected) < 1e-5, `relative L2 ${relativeL2(actual, expected)}`);
    const plain = await logitsOf(gpu, base, tokens);
    assert(relativeL2(actual, plain) > 1e-2, "the adapter changes nothing");
  });
}

Deno.test("a new adapter changes no bit, and losses with one are the oracle's", async () => {
  using fresh = base.withAdapter(loraAdapter(base));
  assertEquals(await logitsOf(gpu, fresh, tokens), await logitsOf(gpu, base, tokens));
  using model = base.withAdapter(filled(loraAdapter(base)));
  using evaluator = new Evaluator(model);
  const choice = choiceExamples(smallShape.vocabulary, [5, 1, 12]);
  const [{ loss }] = await evaluator.run([packBatch(choice, "classification", 512)]);
  const expected = oracleLoss(smallShape, withLora(weights, model), choice, "classification");
  assertAlmostEquals(loss, expected, 1e-4);
});

Deno.test("several adapters share one base, each with its own memory, and go without harm", async () => {
  const before = gpu.memory.total;
  const plain = await logitsOf(gpu, base, tokens);
  {
    using small = base.withAdapter(filled(loraAdapter(base, { rank: 4 })));
    const one = gpu.memory.total - before;
    using large = small.withAdapter(filled(loraAdapter(base, { rank: 16 })));
    assertEquals(gpu.memory.total - before - one, 4 * one);
    const [a, b] = [await logitsOf(gpu, small, tokens), await logitsOf(gpu, large, tokens)];
    assert(relativeL2(a, b) > 1e-2);
    assertEquals(await logitsOf(gpu, small, tokens), a);
  }
  assertEquals(gpu.memory.total, before);
  assertEquals(await logitsOf(gpu, base, tokens), plain);
});

Deno.test("A is drawn evenly within 1/sqrt(inputs), by seed and tensor", () => {
  const shape = { name: "blk.0.attn_q.weight.lora_a", rows: 64, columns: 256 };
  const bound = 1 / Math.sqrt(256);
  const values = initialValues({ ...shape, initial: { uniform: bound } }, 7);
  const mean = values.reduce((a, b) => a + b) / values.length;
  const square = values.reduce((a, b) => a + b * b, 0) / values.length;
  assert(Math.abs(mean) < 4 * bound / Math.sqrt(3 * values.length));
  assertAlmostEquals(square / (bound * bound / 3), 1, 0.03);
  assert(values.every((value) => Math.abs(value) < bound));
  for (const [other, seed] of [[shape.name, 8], ["blk.1.attn_q.weight.lora_a", 7]] as const) {
    const own = initialValues({ ...shape, name: other, initial: { uniform: bound } }, seed);
    const same = own.reduce((sum, value, i) => sum + value * values[i], 0) / values.length;
    assert(Math.abs(same) < 5 * square / Math.sqrt(values.length), "not independent");
  }
});

Deno.test("normal numbers are sums of twelve even ones, by seed and tensor, of mean 0 and variance 1; tokens are drawn evenly", () => {
  const tensor = { name: "prompt", rows: 128, columns: 64, initial: { normal: 1 } } as const;
  const values = initialValues(tensor, 7);
  const mean = values.reduce((a, b) => a + b) / values.length;
  const moment = (power: number) =>
    values.reduce((sum, value) => sum + value ** power, 0) / values.length;
  assert(Math.abs(mean) < 4 / Math.sqrt(values.length));
  assertAlmostEquals(moment(2), 1, 0.06);
  // Of a normal law 3; of twelve even ones 2.9.
  assertAlmostEquals(moment(4), 2.9, 0.3);
  const key = threefry2x32(masterSeed(7), [0x61646170, 0]);
  const words = [0, 1, 2].flatMap((i) => [...threefry2x32(key, [3 * 9 + i, tensorId("prompt")])]);
  const parts = words.flatMap((word) => [word & 0xffff, word >>> 16]);
  assertEquals(values[9], parts.reduce((sum, part) => sum + (part + 0.5) / 65536, -6));
  assertEquals(initialValues(tensor, 7), values);
  assert(initialValues(tensor, 8).some((value, i) => value !== values[i]));
  const tokens = drawnTokens(5000, 10, 3);
  const counts = Array.from({ length: 10 }, (_, i) => tokens.filter((token) => token === i).length);
  assert(counts.every((count) => count > 400 && count < 600), JSON.stringify(counts));
});

Deno.test("what an adapter consists of is read back as it was described, and damage is refused", () => {
  const adapter = loraAdapter(base, { rank: 3, alpha: 1, seed: 5 });
  const described = JSON.parse(JSON.stringify(describeAdapter(adapter)));
  assertEquals(describedAdapter(described), adapter);
  const refused = (change: Record<string, unknown>, words: string) =>
    assertThrows(() => describedAdapter({ ...described, ...change }), RangeError, words);
  refused({ scheme: "dora" }, 'scheme "dora": expected one of ia3, lora');
  refused({ more: 1 }, 'unknown key "more"');
  refused({ values: "0" }, "must be given too");
  refused({ seed: -1 }, "its seed is -1");
  refused({ plan: { matrices: [] } }, "names no matrices");
  const [first] = (adapter.plan as { matrices: readonly object[] }).matrices;
  for (const change of [{ rank: 0 }, { rank: 1e9 }, { scale: null }, { matrix: 3 }, { bias: 1 }]) {
    refused(
      { plan: { matrices: [{ ...first, ...change }] } },
      "is not a matrix with rank and scale",
    );
  }
  refused({ plan: { matrices: [first, first] } }, "occurs twice");
  const elsewhere = { matrices: [{ matrix: "blk.9.attn_q.weight", rank: 1, scale: 1 }] };
  assertThrows(
    () => base.withAdapter({ ...adapter, plan: elsewhere }),
    RangeError,
    "the model has no such matrix",
  );
});

Deno.test("what no matrix is called, and patterns that cannot be used, are refused by name", () => {
  const refused = (options: LoraOptions, words: string) =>
    assertThrows(() => loraAdapter(base, options), RangeError, words);
  refused(
    { targets: ["query"] },
    "its matrices are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj",
  );
  refused({ targets: "(" }, 'Cannot use the pattern "("');
  refused({ targets: "(a+)+" }, "it contains a nested repetition");
  refused({ rank: 0 }, "rank");
  refused({ layers: [7, 9] }, "in layers 7 to 9");
  refused({ rankPattern: { q_proj: 0.5 } }, 'LoRA to "blk.0.attn_q.weight"');
  refused({ targets: ["lm_head"] }, "has 290 rows, expected a multiple of 4");
});
