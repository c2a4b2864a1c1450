// IA3 beside a model: what it computes, what it begins with, what its plan may say, and merged into its base.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Adapter,
  describeAdapter,
  describedAdapter,
  Evaluator,
  ia3Adapter,
  type Ia3Options,
  type Ia3Plan,
  loadModel,
  mergedSource,
  openModelSource,
  packBatch,
} from "../../../models/mod.ts";
import { writeGgufAdapter } from "../../../models/checkpoints/adapters/write_gguf_adapter.ts";
import { llamaLogits } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { withIa3 } from "../adapter_oracle.ts";
import { withTemp } from "../quantised_folder.ts";
import { choiceExamples, smallShape } from "../small_model.ts";
import { openSmallBase } from "./small_base.ts";
import { smallOpt, writeOptFolder } from "../small_opt.ts";

const { gpu, base, weights, tokens } = await openSmallBase();

/** The adapter with values that count in place of ones. */
function filled(adapter: Adapter, beside = base): Adapter {
  using model = beside.withAdapter(adapter);
  const random = randomNumbers(3);
  const values = new Map(
    [...model.adapter!.tensors].map(([name, { columns }]) =>
      [name, randomNormals(columns, 0.4, random).map((value) => 1 + value)] as const
    ),
  );
  return { ...adapter, values };
}

const variants: Record<string, Ia3Options> = {
  "where the paper puts it": {},
  "matrices that end in a residual, outputs and inputs": {
    targets: ["o_proj", "down_proj"],
    feedForward: ["o_proj"],
  },
  "all linear layers of one, by their inputs": {
    targets: "all-linear",
    feedForward: "all-linear",
    layers: [1, 1],
  },
};

for (const [name, options] of Object.entries(variants)) {
  Deno.test(`logits with IA3 are the oracle's: ${name}`, async () => {
    using model = base.withAdapter(filled(ia3Adapter(base, options)));
    const expected = llamaLogits(smallShape, withIa3(weights, model), tokens);
    const actual = await logitsOf(gpu, model, tokens);
    assert(relativeL2(actual, expected) < 1e-5, `relative L2 ${relativeL2(actual, expected)}`);
    const plain = await logitsOf(gpu, base, tokens);
    assert(relativeL2(actual, plain) > 1e-2, "the adapter changes nothing");
  });
}

Deno.test("a new IA3 adapter is of ones and changes no bit", async () => {
  using fresh = base.withAdapter(ia3Adapter(base));
  assertEquals(await logitsOf(gpu, fresh, tokens), await logitsOf(gpu, base, tokens));
});

Deno.test("what an IA3 adapter consists of is read back as it was described, and damage is refused", () => {
  const adapter = ia3Adapter(base);
  const described = JSON.parse(JSON.stringify(describeAdapter(adapter)));
  assertEquals(describedAdapter(described), adapter);
  const [first] = (adapter.plan as Ia3Plan).vectors;
  const refused = (plan: Record<string, unknown>, words: string) =>
    assertThrows(() => describedAdapter({ ...described, plan }), RangeError, words);
  refused({ vectors: [] }, "names no matrices");
  refused({ vectors: [first], more: 1 }, 'unknown key "more"');
  for (const change of [{ matrix: 3 }, { scales: "both" }, { scales: undefined }, { rank: 1 }]) {
    refused({ vectors: [{ ...first, ...change }] }, "is not a matrix and side");
  }
  refused({ vectors: [first, first] }, "occurs twice");
  const on = (matrix: string) =>
    base.withAdapter({ ...adapter, plan: { vectors: [{ matrix, scales: "output" }] } });
  assertThrows(() => on("blk.9.attn_k.weight"), RangeError, "the model has no such matrix");
  assertThrows(() => on("blk.0.attn_norm.weight"), RangeError, "it is not a linear layer");
  assertThrows(() => ia3Adapter(base, { targets: ["nothing"] }), RangeError, "it has q_proj");
});

Deno.test("llama.cpp has no form for IA3: refused by name", async () => {
  const adapter = ia3Adapter(base);
  const about = { config: base.config, base: "", baseName: "" };
  await assertRejects(
    () => writeGgufAdapter("never.gguf", { ...about, adapter }),
    RangeError,
    "llama.cpp supports only LoRA, not ia3",
  );
});

Deno.test("IA3 merged into a model with biases gives the losses of the model with it beside", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, smallOpt);
    using opt = await openModelSource(folder);
    using beside = await loadModel(gpu, opt);
    const adapter = filled(ia3Adapter(opt), beside);
    using model = beside.withAdapter(adapter);
    using merged = await loadModel(gpu, mergedSource(opt, adapter));
    const batch = packBatch(choiceExamples(smallOpt.vocabulary, [5, 2]), "classification", 40);
    const lossOf = async (one: typeof model) => {
      using evaluator = new Evaluator(one);
      return (await evaluator.run([batch]))[0].loss;
    };
    assertAlmostEquals(await lossOf(merged), await lossOf(model), 1e-5);
    assert(Math.abs(await lossOf(beside) - await lossOf(model)) > 1e-4, "it changes nothing");
  });
});
