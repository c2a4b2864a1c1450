import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { exists } from "../../support/shared_data.ts";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";
import { writeTinyTask } from "../tiny_model.ts";

async function inFolder(use: (folder: string, config: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder, (await writeTinyTask(folder)).config);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function said(...args: string[]): Promise<{ readonly code: number; readonly noted: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, noted: terminal.noted };
}

Deno.test("a run that can train nothing is refused before it begins", async () => {
  await inFolder(async (folder, config) => {
    const refused: [string[], string][] = [
      [["--optimiser.epsilon", "1e-45"], "expected a number from 1e-18 to 1"],
      [["--optimiser.accumulate", "7"], "optimiser.accumulate: 7 with steps: 6"],
      [["--optimiser.batch-per-direction", "7"], "optimiser.batch_per_direction: 7 with steps: 6"],
    ];
    for (const [args, words] of refused) {
      const { code, noted } = await said("finetune", config, ...args);
      assertEquals(code, 1);
      assertStringIncludes(noted, words);
    }
    assert(!exists(join(folder, "run", "run.ledger")));
    const whole = ["--optimiser.accumulate", "6", "--output", join(folder, "whole")];
    const { code, noted } = await said("finetune", config, ...whole);
    assertEquals(code, 0, noted);
    assert(!noted.includes("moved nothing"), noted);
  });
});

Deno.test("steps whose losses are equal are said, once: after 20 of them, or at the end of fewer", async () => {
  await inFolder(async (folder, config) => {
    for (const [steps, words] of [["6", "the steps moved"], ["60", "the last 20 steps moved"]]) {
      const output = join(folder, `still-${steps}`);
      const run = ["--optimiser.epsilon", "1e-18", "--steps", steps, "--output", output];
      const { code, noted } = await said("finetune", config, ...run);
      assertEquals(code, 0, noted);
      assertEquals(noted.split("moved nothing").length, 2, noted);
      assertStringIncludes(noted, words);
      assertStringIncludes(noted, "Raise optimiser.epsilon (now 1e-18)");
    }
  });
});
