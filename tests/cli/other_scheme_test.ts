/** A file's selection of trainables, and a scheme on the command line that it was not chosen for. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { parseCommandArguments } from "../../cli/arguments.ts";
import { COMMANDS, runCli } from "../../cli/main.ts";
import { withTemp } from "../models/quantised_folder.ts";
import { capture } from "./capture.ts";
import { writeTinyTask } from "./tiny_model.ts";

const own = new Set(COMMANDS.flatMap(({ options }) => Object.keys(options)));

async function parsed(yaml: string, ...flags: string[]) {
  const command = COMMANDS.find(({ name }) => name === "finetune")!;
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, `model: ${file}\n${yaml}\n`);
    const { config, notes } = parseCommandArguments([file, ...flags], command, own);
    return { config: config(), notes };
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("what a file selects for one scheme is not taken for another, and said where somebody chose it", async () => {
  const usual = await parsed("scheme: full\ntrainables: {kinds: [scales]}", "--scheme", "lora");
  assertEquals([usual.config.trainables.kinds, usual.notes], [["lora"], []]);

  const chosen = await parsed(
    "trainables: {kinds: [norms], include: ['*.attn_q.*'], layers: 0-1}",
    "--scheme",
    "lora",
  );
  assertEquals(chosen.config.trainables.kinds, ["lora"]);
  assertEquals(chosen.config.trainables.layers, [0, 1]);
  assertEquals(chosen.notes.length, 1);
  for (const word of ["trainables.kinds", "trainables.include", "scheme full", "--scheme lora"]) {
    assertStringIncludes(chosen.notes[0], word);
  }

  const back = await parsed(
    "scheme: lora\nlora: {rank: 2}\ngroups: {lora: {epsilon: 0.1}}",
    "--scheme",
    "full",
  );
  assertEquals([back.config.scheme, back.config.trainables.kinds], ["full", ["scales"]]);
  assertEquals(back.config.lora, undefined);
  assertStringIncludes(back.notes[0], "groups, lora of");

  // The settings of the new scheme's adapter are meant for it, whatever the file's scheme.
  const mixed = await parsed(
    "scheme: lora\nadapter: from\ntrainables: {kinds: [lora]}",
    "--scheme",
    "scales+lora",
  );
  assertEquals(mixed.config.adapter?.endsWith("from"), true);
  assertEquals([mixed.config.trainables.kinds.toSorted(), mixed.notes], [["lora", "scales"], []]);
  const ranked = await parsed("scheme: lora\nlora: {rank: 2}", "--scheme", "scales+lora");
  assertEquals([ranked.config.lora?.rank, ranked.notes], [2, []]);

  const same = await parsed(
    "scheme: lora\nlora: {rank: 2}",
    "--scheme",
    "lora",
    "--lora.alpha",
    "4",
  );
  assertEquals([same.config.lora?.rank, same.config.lora?.alpha, same.notes], [2, 4, []]);
});

Deno.test("a run's own configuration begins a run of another scheme", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    const at = (name: string) => join(folder, name);
    const run = async (...args: string[]) => {
      const terminal = capture();
      assertEquals(await runCli(args, { terminal }), 0, terminal.noted);
    };
    await run("finetune", at("tiny.yaml"), "--steps", "2", "--output", at("scales"));
    await run(
      ...["finetune", at("scales/config.yaml"), "--scheme", "lora", "--steps", "2"],
      ...["--output", at("lora")],
    );
    const written = await Deno.readTextFile(at("lora/config.yaml"));
    assertStringIncludes(written, "scheme: lora");
  });
});
