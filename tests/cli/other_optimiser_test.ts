/** A file's learning rate, and an optimiser on the command line that it was not chosen for. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { parse } from "@std/yaml";
import { parseCommandArguments } from "../../cli/arguments.ts";
import { COMMANDS } from "../../cli/main.ts";
import { optimiserNames } from "../../optim/mod.ts";
import { withTemp } from "../models/quantised_folder.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";
import { writeTinyTask } from "./tiny_model.ts";

const own = new Set(COMMANDS.flatMap(({ options }) => Object.keys(options)));

async function parsed(optimiser: string, ...flags: string[]) {
  const command = COMMANDS.find(({ name }) => name === "finetune")!;
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, `model: ${file}\noptimiser: ${optimiser}\n`);
    const { config, notes } = parseCommandArguments([file, ...flags], command, own);
    return { optimiser: config().optimiser, notes };
  } finally {
    await Deno.remove(file);
  }
}

const chosen =
  "learning_rate: 0.02, epsilon: 0.3, clip: 7, schedule: {kind: cosine, warmup: 3}, accumulate: 2";

Deno.test("what a file says for one optimiser is not taken for another, and said", async () => {
  for (const before of ["", "name: qzoNormalised, "]) {
    for (const flag of ["--optimiser", "--optimiser.name"]) {
      const { optimiser, notes } = await parsed(`{${before}${chosen}}`, flag, "qzoPlus");
      assertEquals(optimiser.name, "qzoPlus");
      const { learningRate, epsilon, clip, schedule, accumulate } = optimiser;
      assertEquals([learningRate, epsilon, clip], [undefined, undefined, undefined]);
      assertEquals(schedule, { kind: "linear", warmup: 0, end: 0 });
      // What lies around any optimiser stays.
      assertEquals(accumulate, 2);
      assertEquals(notes.length, 1);
      for (
        const word of [
          "learning_rate 0.02",
          "epsilon 0.3",
          "clip 7",
          "schedule",
          "qzoNormalised",
          "qzoPlus",
        ]
      ) {
        assertStringIncludes(notes[0], word);
      }
      assert(!notes[0].includes("accumulate"), notes[0]);
    }
  }
});

Deno.test("between any two optimisers no learning rate goes over", async () => {
  for (const [i, name] of optimiserNames.entries()) {
    const other = optimiserNames[(i + 1) % optimiserNames.length];
    const file = `{name: ${name}, learning_rate: 0.123}`;
    const left = await parsed(file, "--optimiser", other);
    assertEquals([left.optimiser.learningRate, left.notes.length], [undefined, 1], name);
    const kept = await parsed(file, "--optimiser", name);
    assertEquals([kept.optimiser.learningRate, kept.notes.length], [0.123, 0], name);
  }
});

Deno.test("what is typed is meant; a file that says nothing of its own leaves nothing out", async () => {
  const typed = await parsed(`{${chosen}}`, "--optimiser", "qzoPlus", "--learning-rate", "0.3");
  assertEquals(typed.optimiser.learningRate, 0.3);
  assertEquals(typed.optimiser.epsilon, undefined);
  assert(!typed.notes[0].includes("learning_rate"), typed.notes[0]);
  const around = await parsed("{accumulate: 2, reject_spikes: 5}", "--optimiser", "qzoPlus");
  assertEquals([around.optimiser.accumulate, around.optimiser.rejectSpikes], [2, 5]);
  assertEquals(around.notes, []);
  const same = await parsed(`{${chosen}}`, "--steps", "5");
  assertEquals([same.optimiser.learningRate, same.notes], [0.02, []]);
});

Deno.test("finetune FILE --optimiser qzoPlus: its own rate falls to nothing, and a note says what was left out", async () => {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    await Deno.writeTextFile(config, "optimiser: {learning_rate: 0.02}\n", { append: true });
    const terminal = capture();
    assertEquals(await runCli(["finetune", config, "--optimiser", "qzoPlus"], { terminal }), 0);
    assertStringIncludes(terminal.noted, "note: optimiser.learning_rate 0.02 of");
    const written = await Deno.readTextFile(join(folder, "run", "config.yaml"));
    const { optimiser, resolved } = parse(written) as Record<string, Record<string, unknown>>;
    assertEquals(optimiser, { name: "qzoPlus", schedule: { kind: "linear", warmup: 0, end: 0 } });
    const { learning_rate, schedule } = resolved.optimiser as Record<string, unknown>;
    assertEquals([learning_rate, schedule], [0.5, { kind: "linear", total: 6, warmup: 0, end: 0 }]);
  });
});
