import { assertEquals, assertThrows } from "@std/assert";
import { chooseFormat, nearestNames, tensorKind } from "../../../quant/mod.ts";
import { assertKept } from "../../../quant/formats/choose_format.ts";

Deno.test("tensors are told apart by the names of both families", () => {
  const kinds: [string, number, string][] = [
    ["model.embed_tokens.weight", 4096, "embedding"],
    ["token_embd.weight", 4096, "embedding"],
    ["model.decoder.embed_positions.weight", 2048, "positions"],
    ["position_embd.weight", 2050, "positions"],
    ["lm_head.weight", 4096, "head"],
    ["output.weight", 4096, "head"],
    ["blk.3.attn_output.weight", 256, "matrix"],
    ["model.layers.0.self_attn.q_proj.weight", 256, "matrix"],
    ["model.layers.0.self_attn.q_proj.bias", 256, "vector"],
    ["blk.0.attn_q.bias", 256, "vector"],
    ["output_norm.weight", 1, "vector"],
    ["model.norm.weight", 1, "vector"],
  ];
  for (const [name, rows, kind] of kinds) assertEquals(tensorKind(name, rows), kind, name);
});

Deno.test("formats follow kind, options and what a format can hold", () => {
  const choose = (name: string, columns: number, options = {}): string =>
    chooseFormat({ name, kind: tensorKind(name, 256), columns }, "int3_g64", options);
  assertEquals(choose("blk.0.ffn_up.weight", 96), "int3_g64");
  assertEquals(choose("blk.0.ffn_up.weight", 100), "F16");
  assertEquals(choose("blk.0.ffn_up.weight", 100, { fallback: "F32" }), "F32");
  assertEquals(choose("blk.0.ffn_up.weight", 96, { keep: ["blk.0."] }), "F16");
  assertEquals(choose("lm_head.weight", 96, { embedding: "Q8_0" }), "Q8_0");
  assertEquals(choose("lm_head.weight", 96, { embedding: "Q8_0", head: "F16" }), "F16");
  assertEquals(choose("position_embd.weight", 96, { embedding: "Q8_0" }), "F16");
  assertEquals(choose("token_embd.weight", 100, { embedding: "Q8_0" }), "F16");
  assertEquals(choose("blk.0.attn_q.bias", 96, { keep: ["blk.0."] }), "F32");
  const wide = (columns: number, options = {}): string =>
    chooseFormat({ name: "w", kind: "matrix", columns }, "Q4_K", options);
  assertEquals([512, 704, 100].map((columns) => wide(columns)), ["Q4_K", "Q5_0", "F16"]);
  assertEquals(wide(704, { fallback: "Q8_0" }), "Q8_0");
  assertThrows(
    () => chooseFormat({ name: "w", kind: "matrix", columns: 32 }, "int5_g64"),
    RangeError,
    "int5_g64",
  );
});

Deno.test("nearest names", () => {
  assertEquals(nearestNames("int4_g182", ["int4_g128", "int4_row", "F16"], 1), ["int4_g128"]);
  assertEquals(nearestNames("zzzzzzzz", ["F16", "Q4_0"]), []);
});

Deno.test("a part of names that keeps nothing or everything is named", () => {
  const names = ["blk.0.ffn_down.weight", "blk.0.attn_q.weight", "output.weight"];
  assertKept(undefined, names);
  assertKept(["ffn_down", "output.weight", "blk.0."], names);
  assertThrows(() => assertKept(["ffn_down", ""], names), RangeError, 'Cannot keep ""');
  assertThrows(() => assertKept([" "], names), RangeError, "every name contains it");
  assertThrows(() => assertKept(["ffn_dwn"], names), RangeError, 'did you mean "ffn_down"?');
  assertThrows(() => assertKept(["lm_heda"], names), RangeError, "no tensor name contains it");
});
