import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { readLedger } from "../../../optim/mod.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";
import { writeTinyTask } from "../tiny_model.ts";

const main = fromFileUrl(new URL("../../../cli/main.ts", import.meta.url));

Deno.test("qzo finetune --resume while another process trains: refused with its id; after its death it goes on", async () => {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const run = join(folder, "run");
    const ledger = join(run, "run.ledger");
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", main, "finetune", config, "--steps", "1000000"],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const stepsOf = async () => {
      const bytes = await Deno.readFile(ledger).catch(() => undefined);
      return bytes ? readLedger(bytes).records.length : 0;
    };
    try {
      while (await stepsOf() < 5) await new Promise((resolve) => setTimeout(resolve, 50));
      const terminal = capture();
      assertEquals(await runCli(["finetune", run, "--resume"], { terminal }), 1);
      assertStringIncludes(terminal.noted, `another process (id ${child.pid}) trains there`);
      const reader = capture();
      assertEquals(await runCli(["inspect", ledger], { terminal: reader }), 0, reader.noted);
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
    const { records, damage } = readLedger(await Deno.readFile(ledger));
    assertEquals(damage, undefined);
    const terminal = capture();
    const steps = String(records.length + 3);
    const args = ["finetune", run, "--resume", "--steps", steps, "--evaluate-every", "0"];
    assertEquals(await runCli(args, { terminal }), 0, terminal.noted);
    assertStringIncludes(terminal.printed, `from step ${records.length}`);
    assertEquals(await stepsOf(), records.length + 3);
    const events = (await Deno.readTextFile(join(run, "metrics.jsonl"))).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    assert(events.every(({ step }) => step <= records.length + 3));
    assert(![...Deno.readDirSync(run)].some(({ name }) => name === "run.lock"));
  });
});
