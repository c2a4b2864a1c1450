/**
 * Commands say before they begin that their result cannot be written, and what they changed for the file's sake.
 *
 * @module
 */
import { assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openModelSource } from "../../models/mod.ts";
import { writeKindFolder, writeKindGguf } from "../support/model_kinds.ts";
import { withTemp } from "../models/quantised_folder.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";

/** Factors of rotary frequencies that no `rope_scaling` has: GGUF can hold them, a folder cannot. */
const factors = Float32Array.of(1, 1.5, 1.25, 2, 3, 4, 3.5, 8);
const says = "write a .gguf file instead";

async function run(...args: string[]): Promise<{ code: number; noted: string; shown: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, noted: terminal.noted, shown: terminal.printed };
}

async function withModel(
  body: (at: string, model: string, data: string[]) => Promise<void>,
): Promise<void> {
  await withTemp(async (at) => {
    const model = await writeKindGguf(join(at, "model.gguf"), { factors });
    await Deno.writeTextFile(join(at, "story.txt"), "t260 t261 t262 t263\n".repeat(20));
    await body(at, model, [
      ...["--task", "language-modelling", "--data", at, "--data.train", "story.txt"],
      ...["--max-length", "32", "--batch-size", "2"],
    ]);
  });
}

Deno.test("finetune --export refuses before the first step what it could not write after the last", async () => {
  await withModel(async (at, model, data) => {
    const output = join(at, "run");
    const { code, noted } = await run(
      ...["finetune", "--model", model, ...data, "--steps", "1", "--output", output, "--export"],
      ...["--quantize.format", "int4_g32"],
    );
    assertEquals(code, 1);
    assertStringIncludes(noted, says);
    await assertRejects(() => Deno.stat(output), Deno.errors.NotFound);
  });
});

Deno.test("export refuses a folder before it replays, and writes a file with any spelling of .gguf", async () => {
  await withModel(async (at, model, data) => {
    const output = join(at, "run");
    const trained = await run(
      ...["finetune", "--model", model, ...data, "--steps", "1", "--output", output],
      ...["--quantize.format", "Q4_0"],
    );
    assertEquals(trained.code, 0, trained.noted);
    const folder = join(at, "tuned");
    const refused = await run("export", output, "--step", "last", "--output", folder);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.noted, says);
    await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);

    const file = join(at, "TUNED.GGUF");
    const written = await run("export", output, "--step", "last", "--output", file, "--evaluate");
    assertEquals(written.code, 0, written.noted);
    using tuned = await openModelSource(file);
    assertEquals(tuned.ropeFactors, factors);
  });
});

Deno.test("quantize refuses before it calibrates, and writes nothing", async () => {
  await withModel(async (at, model) => {
    const folder = join(at, "small");
    for (
      const more of [[], ["--method", "gptq", "--calibration", join(at, "story.txt")]]
    ) {
      const { code, noted } = await run(
        ...["quantize", model, "--format", "int4_g32", "--output", folder, ...more],
      );
      assertEquals(code, 1);
      assertStringIncludes(noted, says);
      await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
    }
    const single = await run(
      ...["quantize", model, "--format", "Q4_0", "--output", join(at, "a.safetensors")],
    );
    assertEquals(single.code, 1);
    assertStringIncludes(single.noted, "name a .gguf file or a folder");
    const file = await run("quantize", model, "--format", "Q4_0", "--output", join(at, "A.GGUF"));
    assertEquals(file.code, 0, file.noted);
    using written = await openModelSource(join(at, "A.GGUF"));
    assertEquals(written.ropeFactors, factors);
  });
});

Deno.test("quantize and quantising on loading say which tensor F16 cannot hold", async () => {
  await withModel(async (at, _, data) => {
    const model = await writeKindFolder(join(at, "wide"), {
      change: (tensors) => {
        const bytes = tensors["lm_head.weight"].bytes.slice();
        new Float32Array(bytes.buffer)[3] = -2e5;
        return { ...tensors, "lm_head.weight": { ...tensors["lm_head.weight"], bytes } };
      },
    });
    const note =
      'Tensor "output.weight" stays F32: it holds -200000 at row 0, column 3, beyond F16\'s 65504.';
    const path = join(at, "a.gguf");
    const written = await run("quantize", model, "--format", "Q8_0", "--output", path);
    assertEquals(written.code, 0, written.noted);
    assertStringIncludes(written.noted, note);
    const loss = async (...args: string[]) => {
      const { code, noted, shown } = await run(
        ...["evaluate", ...data, "--data.validation", "story.txt", ...args],
      );
      assertEquals(code, 0, noted);
      return { noted, loss: Number(/loss +([\d.]+)/.exec(shown)![1]) };
    };
    const onLoading = await loss("--model", model, "--quantize.format", "Q8_0");
    assertStringIncludes(onLoading.noted, note);
    const { loss: ofFile } = await loss("--model", path);
    assertAlmostEquals(onLoading.loss, ofFile, 1e-6 * ofFile);
  });
});
