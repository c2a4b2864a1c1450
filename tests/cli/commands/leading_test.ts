/**
 * Prefixes and prompts from the command line: trained, taken up again, written as adapters, evaluated from their ledgers and from their files.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { withTemp } from "../../models/quantised_folder.ts";
import { writeTinyTask } from "../tiny_model.ts";
import { typed } from "../typed.ts";

async function done(cwd: string, ...args: string[]): Promise<string> {
  const { code, out, noted } = await typed(cwd, ...args);
  assertEquals(code, 0, noted);
  return out + noted;
}

const lossIn = (text: string, pattern: RegExp) => pattern.exec(text)?.[1];

for (
  const [scheme, type, ...options] of [
    ["prefix", "PREFIX_TUNING", "--prefix.tokens", "2", "--prefix.shift-positions", "false"],
    ["prompt", "PROMPT_TUNING", "--prompt.tokens", "3"],
    ["ia3", "IA3"],
  ]
) {
  Deno.test(`a ${scheme} on the command line: ledger and adapter give one loss, and a run goes on from its ledger`, async () => {
    await withTemp(async (folder) => {
      await writeTinyTask(folder);
      const how = ["--scheme", scheme, ...options, "--optimiser.learning-rate", "0.2"];
      const trained = await done(folder, "finetune", "tiny.yaml", "--output", "one", ...how);
      assertMatch(trained, /training +\d+ scalars of \d+ tensors? with qzoNormalised/);
      assertMatch(await done(folder, "replay", "one", "--step", "last"), /device and host agree/);
      const written = await done(
        folder,
        ...["export", "one", "--step", "last", "--output", "adapter", "--evaluate"],
      );
      const before = lossIn(written, /before folding +held-out loss ([\d.]+)/);
      assertEquals(lossIn(written, /after folding +held-out loss ([\d.]+)/), before);
      assertEquals(/PEFT ignores it/.test(written), scheme === "prefix");
      const { peft_type } = JSON.parse(
        await Deno.readTextFile(join(folder, "adapter/adapter_config.json")),
      );
      assertEquals(peft_type, type);
      const beside = await done(folder, "evaluate", "tiny.yaml", "--adapter", "adapter");
      assertEquals(lossIn(beside, /loss +([\d.]+) nats/), before);
      const went = await done(folder, "finetune", "one", "--resume", "--steps", "8");
      const last = lossIn(went, /held-out after +loss ([\d.]+)/);
      const found = await done(folder, "evaluate", "one", "--step", "last");
      assertEquals(lossIn(found, /loss +([\d.]+) nats/), last);
    });
  });
}
