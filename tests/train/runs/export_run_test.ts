import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { openModelSource, quantizedSource } from "../../../models/mod.ts";
import { tunedPath } from "../../../train/runs/export_run.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { ggufInMemory, smallShape, withFolder } from "../../models/small_model.ts";

Deno.test("a tuned model lies where its kind of file does: folders as folders, GGUF as GGUF", async () => {
  const shape = { ...smallShape, layers: 1 };
  const weights = randomLlama(shape);
  await withFolder(shape, weights, async (folder) => {
    using stored = await openModelSource(folder);
    using gguf = await ggufInMemory(shape, weights);
    const name = (source: typeof stored) => tunedPath("run", { source });
    assertEquals(name(stored), join("run", "tuned"));
    assertEquals(name(gguf), join("run", "tuned.gguf"));
    assertEquals(name(quantizedSource(stored, { format: "Q4_0" })), join("run", "tuned.gguf"));
    assertEquals(name(quantizedSource(gguf, { format: "int4_g32" })), join("run", "tuned"));
  });
});
