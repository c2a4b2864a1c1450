/**
 * LoRA from the command line: trained, written as an adapter, evaluated from its ledger and from its file, and begun from again.
 */
import { assertAlmostEquals, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { withTemp } from "../../models/quantised_folder.ts";
import { writeTinyTask } from "../tiny_model.ts";
import { typed, typedAsProcess } from "../typed.ts";

async function done(cwd: string, ...args: string[]): Promise<string> {
  const { code, out, noted } = await typed(cwd, ...args);
  assertEquals(code, 0, noted);
  return out + noted;
}

const lossIn = (text: string, pattern: RegExp) => pattern.exec(text)?.[1];

Deno.test("LoRA on the command line: ledger and adapter give one loss, and an adapter is where another run begins", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    const lora = ["--scheme", "lora", "--lora.rank", "3", "--optimiser.learning-rate", "0.2"];
    const start = ["finetune", "tiny.yaml", "--output", "one", ...lora];
    const trained = await typedAsProcess(folder, ...start);
    assertEquals(trained.code, 0, trained.noted);
    assertMatch(trained.out, /training +\d+ scalars of 4 tensors with qzoNormalised/);
    assertMatch(await done(folder, "replay", "one", "--step", "last"), /device and host agree/);
    const written = await done(
      folder,
      ...["export", "one", "--step", "last", "--output", "adapter", "--evaluate"],
    );
    const before = lossIn(written, /before folding +held-out loss ([\d.]+)/);
    assertEquals(lossIn(written, /after folding +held-out loss ([\d.]+)/), before);
    const config = JSON.parse(await Deno.readTextFile(join(folder, "adapter/adapter_config.json")));
    assertEquals([config.peft_type, config.r, config.lora_alpha], ["LORA", 3, 16]);
    assertEquals(config.target_modules, ["q_proj", "v_proj"]);
    const beside = await done(folder, "evaluate", "tiny.yaml", "--adapter", "adapter");
    assertEquals(lossIn(beside, /loss +([\d.]+) nats/), before);
    const from = ["--scheme", "lora", "--adapter", "adapter"];
    const again = await done(folder, "finetune", "tiny.yaml", "--output", "two", ...from);
    assertEquals(lossIn(again, /step 0 +held-out loss ([\d.]+)/), before);
    const went = await done(folder, "finetune", "two", "--resume", "--steps", "8");
    const last = lossIn(went, /held-out after +loss ([\d.]+)/);
    const found = await done(folder, "evaluate", "two", "--step", "last");
    assertEquals(lossIn(found, /loss +([\d.]+) nats/), last);

    const other = await typed(
      folder,
      ...["finetune", "tiny.yaml", "--output", "two", "--resume", ...lora.slice(0, 4)],
    );
    assertEquals(other.code, 1);
    assertStringIncludes(other.noted, "it was started with adapter");
    const scales = await typed(
      folder,
      ...["finetune", "tiny.yaml", "--output", "three", "--adapter", "adapter"],
    );
    assertStringIncludes(scales.noted, "scheme is full; set scheme to one of ia3, lora");
    await done(folder, "export", "one", "--step", "last", "--output", "a.gguf");
    const inFile = await done(folder, "evaluate", "tiny.yaml", "--adapter", "a.gguf");
    assertEquals(lossIn(inFile, /loss +([\d.]+) nats/), before);
    const scaled = await typed(
      folder,
      "export",
      "one",
      "--step",
      "last",
      "--output",
      "a.safetensors",
    );
    assertStringIncludes(scaled.noted, "give a folder");
  });
});

Deno.test("a mix on the command line: its ledger resumes and replays, and it merges into the packed model on request alone", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    const mix = [
      ...["--scheme", "scales+lora"],
      ...["--groups.scales.layers", "0", "--groups.lora.epsilon", "0.05"],
      ...["--groups.lora.learning-rate", "0.2"],
    ];
    const refused = await typed(
      folder,
      "finetune",
      "tiny.yaml",
      "--output",
      "mix",
      ...mix,
      "--export",
    );
    assertStringIncludes(refused.noted, "no single file can contain both");
    await done(folder, "finetune", "tiny.yaml", "--output", "mix", ...mix);
    assertMatch(await done(folder, "replay", "mix", "--step", "last"), /device and host agree/);
    await done(folder, "finetune", "mix", "--resume", "--steps", "8");
    const merge = ["export", "mix", "--step", "last", "--output", "merged.gguf", "--merge"];
    const packed = await typed(folder, ...merge);
    assertStringIncludes(packed.noted, "--requantise");
    const written = await done(folder, ...merge, "--requantise");
    const before = Number(lossIn(written, /before merging +held-out loss ([\d.]+)/));
    const after = Number(lossIn(written, /after merging +held-out loss ([\d.]+)/));
    assertAlmostEquals(after, before, 0.2);
    assertMatch(written, /^merged +the adapter, and what it changes quantised again/m);
    // The scales beside it were folded, and are counted.
    assertMatch(written, /^changed +[1-9][\d,]* stored values$/m);
    const alone = await done(folder, "evaluate", "tiny.yaml", "--model", "merged.gguf");
    assertAlmostEquals(Number(lossIn(alone, /loss +([\d.]+) nats/)), after, 1e-3);
  });
});
