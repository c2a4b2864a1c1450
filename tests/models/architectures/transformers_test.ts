/**
 * Small random models of every architecture and their variants against transformers' own logits, which tests/support/vectors/transformers_vectors.py
 * wrote down.
 */
import { assert, assertEquals } from "@std/assert";
import { openGpu } from "../../../kernels/mod.ts";
import { loadModel, openModelSource } from "../../../models/mod.ts";
import vectors from "../../fixtures/transformers_logits.json" with { type: "json" };
import { relativeL2 } from "../../reference/nmse.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { sampled } from "../../support/sampled.ts";
import { withTemp } from "../quantised_folder.ts";
import { writeRandomFolder } from "../random_folder.ts";
import { SMALL_CONFIGS, SMALL_VARIANTS } from "../small_configs.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const CONFIGS = { ...SMALL_CONFIGS, ...SMALL_VARIANTS };

Deno.test("every small model has its logits by transformers", () => {
  assertEquals(new Set(Object.keys(vectors.models)), new Set(Object.keys(CONFIGS)));
});

for (const [name, text] of sampled("transformers", Object.entries(vectors.models), 0.34)) {
  Deno.test(`logits are those of transformers: ${name}`, async () => {
    await withTemp(async (folder) => {
      await writeRandomFolder(folder, CONFIGS[name], { seed: 5 });
      using source = await openModelSource(folder);
      using model = await loadModel(gpu, source);
      const ours = await logitsOf(gpu, model, vectors.tokens);
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const theirs = new Float32Array(bytes.buffer);
      const { vocabulary } = source.config;
      vectors.rows.forEach((row, i) => {
        const difference = relativeL2(
          ours.subarray(row * vocabulary, (row + 1) * vocabulary),
          theirs.subarray(i * vocabulary, (i + 1) * vocabulary),
        );
        assert(
          difference < 1e-5,
          `row ${row}: relative L2 to transformers' logits is ${difference}`,
        );
      });
    });
  });
}
