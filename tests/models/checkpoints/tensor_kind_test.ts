import { assertEquals } from "@std/assert";
import { openModelSource, quantizedSource } from "../../../models/mod.ts";
import { weightsOf } from "../../../models/architectures.ts";
import { formatSubject, kindOf } from "../../../models/checkpoints/tensor_kind.ts";

Deno.test("what a tensor is follows from its architecture, not from its name", async () => {
  using source = await openModelSource("demo/model.gguf");
  for (const { name, role } of weightsOf(source.config)) {
    assertEquals(source.tensors.get(name)!.role, role, name);
  }
  // Its format may change, what it is does not.
  const quantised = quantizedSource(source, { format: "Q8_0" });
  for (const [name, tensor] of quantised.tensors) {
    assertEquals(kindOf(tensor), kindOf(source.tensors.get(name)!), name);
  }
});

Deno.test("every role has a kind; a tensor of no architecture is guessed at by its name", () => {
  const tensor = { name: "blk.0.attn_norm.weight", rows: 8, columns: 32 };
  const kinds = (["matrix", "norm", "bias", "embedding", "positions", "head", undefined] as const)
    .map((role) => formatSubject({ ...tensor, role }));
  assertEquals(kinds.map(({ kind }) => kind), [
    "matrix",
    "vector",
    "vector",
    "embedding",
    "positions",
    "head",
    "vector",
  ]);
  assertEquals(kinds[0], { name: tensor.name, kind: "matrix", columns: 32 });
});
