import { assertEquals, assertThrows } from "@std/assert";
import { planModel, planOffsets, quantizedSource, type Selection } from "../../models/mod.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { randomLlama } from "../support/random_llama.ts";
import { ggufInMemory, smallShape } from "./small_model.ts";

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
