import { assertEquals, assertThrows } from "@std/assert";
import { type Optimiser, optimiser, qzo, qzoNormalised, qzoPlus } from "../../optim/mod.ts";
import { quantizedSource } from "../../models/mod.ts";
import { planModel } from "../../models/inference/model.ts";
import { planOffsets, type Selection } from "../../train/selection.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { randomLlama } from "../support/random_llama.ts";
import { ggufInMemory, smallShape } from "../models/small_model.ts";

const device = { adapterClass: "software", maxBinding: 2 ** 27 } as const;
const shape: LlamaShape = { ...smallShape, layers: 1, hidden: 256, feedForward: 512 };
using dense = await ggufInMemory(shape, randomLlama(shape));

/** Spans of the q and the down projection. */
function spans(format: string, span: Selection["span"]): (number | undefined)[] {
  const plan = planModel(quantizedSource(dense, { format }), device);
  const offsets = planOffsets(plan, "relative", device.maxBinding, { span });
  return ["attn_q", "ffn_down"].map((name) => offsets.trainable(`blk.0.${name}.weight`)?.span);
}

Deno.test("a span is as fine as the stored scales at most: 32 columns of super-blocks", () => {
  assertEquals(spans("Q4_K", "block"), [256, 256]);
  assertEquals(spans("Q4_K", "row"), [256, 512]);
  assertEquals(spans("Q4_K", 32), [32, 32]);
  assertEquals(spans("Q4_K", 96), [96, 96]);
  assertEquals(spans("Q4_K", 8), [32, 32]);
  assertThrows(() => spans("Q4_K", 300), RangeError, "one offset per 300 columns");
  assertEquals(spans("int4_g128", 32), [128, 128]);
  assertEquals(spans("int4_row", 32), [256, 512]);
});

Deno.test("super-blocks are selected for relative offsets per multiple of 32 columns only, embeddings too", () => {
  const plan = planModel(quantizedSource(dense, { format: "Q4_0", embedding: "Q6_K" }), device);
  const select = (form: "absolute" | "relative", span: Selection["span"]) =>
    planOffsets(plan, form, device.maxBinding, { include: ["token_embd.*"], exclude: [], span });
  assertThrows(
    () => select("absolute", "block"),
    RangeError,
    'Cannot train tensor "token_embd.weight" absolutely',
  );
  assertThrows(() => select("relative", 40), RangeError, "one offset per 40 columns");
  assertEquals(select("relative", 64).trainables.map(({ span }) => span), [64]);
});

Deno.test("an optimiser's own span is for where the selection does not say", () => {
  const plan = planModel(quantizedSource(dense, { format: "int4_g32" }), device);
  const of = (optimiser: Optimiser, selection?: Selection) =>
    planOffsets(plan, optimiser, device.maxBinding, selection)
      .trainable("blk.0.ffn_down.weight")?.span;
  assertEquals([of(qzoPlus()), of(qzoPlus({ form: "absolute" })), of(qzo())], [512, 32, 32]);
  assertEquals([of(qzoPlus(), { span: "block" }), of(qzoPlus(), { span: 64 })], [32, 64]);
  assertEquals(of(qzoNormalised(), { span: "row" }), 512);
  const estimator = qzo().estimator;
  assertThrows(
    () => optimiser({ name: "rows", estimator, form: "absolute", span: "row" }),
    RangeError,
    "one offset per row must be relative",
  );
});

/** Names that a selection of kinds has, of a model quantised to a format. */
function names(
  format: string,
  kinds: Selection["kinds"],
  form: "absolute" | "relative" = "relative",
) {
  const plan = planModel(quantizedSource(dense, { format }), device);
  const selection = { ...kinds ? { kinds } : {}, include: ["*attn_q*", "*ffn_down*"] };
  return planOffsets(plan, form, device.maxBinding, selection).trainables;
}

Deno.test("codebooks and minima are trainables of their own, beside their scales or alone", () => {
  const of = (list: ReturnType<typeof names>) =>
    list.map(({ name, form, span, count }) => [name, form, span, count]);
  assertEquals(of(names("codebook1x8", ["scales", "codebooks"], "absolute")), [
    ["blk.0.attn_q.weight", "absolute", 256, 256],
    ["blk.0.attn_q.weight.codebook", "absolute", 1, 2048],
    ["blk.0.ffn_down.weight", "absolute", 512, 256],
    ["blk.0.ffn_down.weight.codebook", "absolute", 1, 2048],
  ]);
  assertEquals(of(names("Q4_1", ["minima"])), [
    ["blk.0.attn_q.weight.minima", "relative", 32, 8 * 256],
    ["blk.0.ffn_down.weight.minima", "relative", 32, 16 * 256],
  ]);
  assertEquals(new Set(names("Q4_1", ["scales", "minima"]).map(({ id }) => id)).size, 4);
  assertThrows(() => names("Q4_0", ["codebooks", "minima"]), RangeError, "no tensor has kind");
});

Deno.test("minima that cannot be trained for themselves are refused by name", () => {
  assertThrows(
    () => names("Q4_K", ["scales", "minima"]),
    RangeError,
    'Cannot train the minima or zero points of "blk.0.attn_q.weight": they are integers within super-blocks',
  );
  const source = quantizedSource(dense, { format: "int4z_g32" });
  const name = "blk.0.ffn_up.weight";
  // As a folder that has zero points as integers says it.
  const tensors = new Map(source.tensors).set(name, { ...source.tensors.get(name)!, stored: {} });
  const plan = planModel({ ...source, tensors }, device);
  assertThrows(
    () => planOffsets(plan, "relative", device.maxBinding, { kinds: ["minima"] }),
    RangeError,
    `"${name}": its file stores them as integers`,
  );
  const exclude = ["*ffn_up*", "output.*", "token_embd.*"];
  const { trainables } = planOffsets(plan, "relative", device.maxBinding, {
    kinds: ["minima"],
    exclude,
  });
  assertEquals(trainables.length, 6);
});

Deno.test("gains of norms and unquantised matrices have offsets of the wanted form, as scales have", () => {
  const plan = planModel(quantizedSource(dense, { format: "int4_g32" }), device);
  const kinds = ["scales", "norms", "dense"] as const;
  const tensors = ["blk.0.attn_q.weight", "blk.0.attn_norm.weight", "token_embd.weight"];
  for (const form of ["absolute", "relative"] as const) {
    const offsets = planOffsets(plan, form, device.maxBinding, { kinds, exclude: [] });
    const forms = tensors.map((name) => offsets.trainable(name)?.form);
    assertEquals(forms, [form, form, form]);
  }
});

Deno.test("a pattern that is like no name is named", () => {
  const plan = planModel(quantizedSource(dense, { format: "Q4_0" }), device);
  const select = (selection: Selection) =>
    planOffsets(plan, "relative", device.maxBinding, selection);
  assertThrows(
    () => select({ include: ["blk.*", "blk.0.atn_q.weight"] }),
    RangeError,
    'include "blk.0.atn_q.weight"; did you mean "blk.0.attn_q.weight"?',
  );
  assertThrows(() => select({ exclude: ["*fnn*"] }), RangeError, 'exclude "*fnn*"');
  // The default's own patterns may be written out, for a model without a head too.
  assertEquals(
    select({ exclude: ["token_embd.*", "output.*"] }).trainables.length,
    select({}).trainables.length,
  );
});
