/**
 * Several adapters on the command line: their weighted sum is evaluated, generated with, written as one adapter and merged into the model.
 */
import {
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { adaptersOf } from "../../../cli/adapter_flags.ts";
import { Options } from "../../../cli/command.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { writeTinyTask } from "../tiny_model.ts";
import { typed } from "../typed.ts";

async function done(cwd: string, ...args: string[]): Promise<string> {
  const { code, out, noted } = await typed(cwd, ...args);
  assertEquals(code, 0, noted);
  return out + noted;
}

async function refused(cwd: string, ...args: string[]): Promise<string> {
  const { code, noted } = await typed(cwd, ...args);
  assertEquals(code, 1, args.join(" "));
  return noted;
}

/** A dense model and its task, `one` and `other` as adapters that are no ledger's any more. */
async function withAdapters(body: (folder: string) => Promise<void>): Promise<void> {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const yaml = await Deno.readTextFile(config);
    await Deno.writeTextFile(config, yaml.replace(/^quantize:.*\n/m, ""));
    for (const [seed, name] of ["one", "other"].entries()) {
      const how = ["--seed", String(seed), "--steps", "4", "--optimiser.learning-rate", "0.3"];
      const run = ["--output", `run-${name}`, "--scheme", "lora", "--lora.rank", "2"];
      await done(folder, "finetune", "tiny.yaml", ...run, ...how);
      await done(folder, "export", `run-${name}`, "--step", "last", "--output", name);
    }
    await body(folder);
  });
}

Deno.test("several adapters on the command line: their sum is evaluated, written as one, and merged", async () => {
  await withAdapters(async (folder) => {
    const loss = async (...args: string[]) => {
      const out = await done(folder, "evaluate", "tiny.yaml", "--json", ...args);
      return Number(JSON.parse(out.slice(out.indexOf("{"), out.lastIndexOf("}") + 1)).loss);
    };
    const base = await loss();
    const one = await loss("--adapter", "one");
    const both = await loss("--adapter", "one", "--adapter", "other=0.5");
    assertNotEquals(one, base);
    assertNotEquals(both, one);
    // What a sum is: nothing of it, and it and its opposite, are the base; two halves are the whole.
    assertAlmostEquals(await loss("--adapter", "one=0"), base, 1e-6);
    assertAlmostEquals(await loss("--adapter", "one", "--adapter=one=-1"), base, 1e-6);
    assertAlmostEquals(await loss("--adapter", "one=0.5", "--adapter", "one=.5"), one, 1e-6);
    // Weights by their place, not by what came first.
    assertAlmostEquals(await loss("--adapter", "other=0.5", "--adapter", "one"), both, 1e-6);
    const mix = ["--model", "model.gguf", "--adapter", "one", "--adapter", "other=0.5"];
    const written = await done(folder, "export", ...mix, "--output", "mixed");
    assertStringIncludes(written, "one + 0.5 x other");
    const { r } = JSON.parse(await Deno.readTextFile(join(folder, "mixed/adapter_config.json")));
    assertEquals(r, 4);
    assertAlmostEquals(await loss("--adapter", "mixed"), both, 1e-6);
    await done(folder, "export", ...mix, "--output", "mixed.gguf");
    assertAlmostEquals(await loss("--adapter", "mixed.gguf"), both, 1e-6);
    await done(folder, "export", ...mix, "--merge", "--output", "merged.gguf");
    assertAlmostEquals(await loss("--model", "merged.gguf"), both, 1e-5);
    const told = await done(
      folder,
      ...["export", "tiny.yaml", ...mix.slice(2), "--merge", "--output", "again.gguf"],
      "--evaluate",
    );
    assertStringIncludes(told, "after merging");
    const say = ["generate", ...mix, "--prompt", "ab", "--max-tokens", "3", "--temperature", "0"];
    const alone = ["--model", "merged.gguf", ...say.slice(7)];
    assertEquals(
      (await typed(folder, ...say)).out,
      (await typed(folder, "generate", ...alone)).out,
    );
  });
});

Deno.test("several adapters on the command line: what has no sum is refused by name", async () => {
  await withAdapters(async (folder) => {
    const on = ["evaluate", "tiny.yaml"];
    const cases: [string, ...string[]][] = [
      ['Cannot use --adapter "one=half": expected a number', ...on, "--adapter", "one=half"],
      ["none/adapter_config.json", ...on, "--adapter", "one", "--adapter", "none"],
      [
        'with the fine-tune "run-one/run.ledger"',
        ...["evaluate", "run-one", "--adapter", "one", "--adapter", "other"],
      ],
      ["with the fine-tune", "evaluate", "run-one", "--adapter", "one=0.5"],
      ["only be used as a whole", ...on, "--adapter", "scales.safetensors=0.5"],
      [
        "both are files of tuned scales",
        ...[...on, "--adapter", "scales.safetensors", "--adapter", "more.safetensors"],
      ],
      ["Missing --ledger", "export", "--model", "model.gguf", "--output", "x.gguf"],
      [
        "which only their ledger can fold",
        ...["export", "--model", "model.gguf", "--adapter", "s.safetensors", "--output", "x.gguf"],
      ],
      [
        "it is an input of this command",
        ...["export", "--model", "model.gguf", "--adapter", "one", "--output", "one", "--force"],
      ],
      ["takes one adapter to start from", "finetune", "tiny.yaml", "--scheme", "lora"].concat([
        ...["--adapter", "one", "--adapter", "other", "--output", "x"],
      ]) as [string, ...string[]],
    ];
    for (const [why, ...args] of cases) {
      assertStringIncludes(await refused(folder, ...args), why, args.join(" "));
    }
  });
});

Deno.test("a path with = in it is a path where something of that name exists", async () => {
  await withTemp(async (folder) => {
    const path = join(folder, "rate=0.5");
    await Deno.mkdir(path);
    const shares = (...texts: string[]) =>
      adaptersOf({ options: new Options(new Map([["adapter", texts]])) });
    assertEquals(shares(path), [{ path }]);
    assertEquals(shares(`${path}=2`, `${folder}=-1e-1`), [
      { path, weight: 2 },
      { path: folder, weight: -0.1 },
    ]);
    assertEquals(shares("none=", "a/b=c/d"), [{ path: "none=" }, { path: "a/b=c/d" }]);
    assertEquals(adaptersOf({ options: new Options(new Map()) }), []);
  });
});
